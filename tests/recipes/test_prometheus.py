"""A loop's numbers for Prometheus."""

import re
import signal

import pytest

from helpers.recipes import fetch, free_port, needs, recipe, running

needs("prometheus_client")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_what_prometheus_reads():
    from prometheus_client.parser import text_string_to_metric_families

    port = free_port()
    with running(recipe("prometheus_metrics.py"), str(port)) as program:
        program.says(re.escape("on <class 'tornado4.platform.asyncio.EventLoop'>"))
        pages = [fetch(f"http://127.0.0.1:{port}/metrics").decode() for _ in range(20)]
        program.ends(signal.SIGINT)
    families = [{one.name: one for one in text_string_to_metric_families(page)} for page in pages]

    def value(family, name, **labels):
        samples = family[name.removesuffix("_total").removesuffix("_count")].samples
        [found] = [one.value for one in samples if one.name == name and one.labels == labels]
        return found

    first, last = families[0], families[-1]
    assert value(last, "loop_turns_total") >= value(first, "loop_turns_total") + 19
    # Each page is a request, and the answer to the one before.
    sent = sum(map(len, pages[:-1]))
    assert value(last, "loop_sent_bytes_total") - value(first, "loop_sent_bytes_total") > sent / 2
    assert value(last, "loop_calls_total", kind="asyncio") > 20
    assert value(last, "loop_descriptors") >= 2
    # Both histograms have counted the same iterations, but for the one under way.
    lags = value(last, "loop_lag_seconds_count")
    ticks = value(last, "loop_tick_seconds_count")
    assert abs(lags - ticks) <= 2
    assert lags >= 20
    buckets = [one for one in last["loop_lag_seconds"].samples if one.name.endswith("_bucket")]
    counts = [one.value for one in buckets]
    assert counts == sorted(counts)
    assert buckets[-1].labels == {"le": "+Inf"}
    assert counts[-1] == lags
