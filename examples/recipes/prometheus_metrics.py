"""What tornado4's loop does, for Prometheus: a server that tells of its own loop.

To run it:

    pip install tornado4 prometheus-client
    python prometheus_metrics.py [PORT]

    curl http://127.0.0.1:8000/metrics
"""

import asyncio
import sys

import tornado4

tornado4.install()  # Tornado's streams, too: else what they send isn't counted.

from prometheus_client import REGISTRY, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from tornado.web import Application, RequestHandler


class LoopCollector:
    """The loop's numbers, read when Prometheus asks; it costs nothing in between."""

    def __init__(self, loop):
        self.metrics = tornado4.metrics(loop)  # From now on the loop is measured.

    def collect(self):
        measured = self.metrics.read()
        counters = {
            "loop_turns": ("Iterations", measured.turns),
            "loop_received_bytes": ("Bytes received", measured.received),
            "loop_sent_bytes": ("Bytes sent", measured.sent),
            "loop_accepted": ("Connections accepted", measured.accepted),
            "loop_waited_seconds": ("Time waited for something to do", measured.waited),
            "loop_worked_seconds": ("Time spent in calls", measured.worked),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(name, text, value)
        calls = CounterMetricFamily("loop_calls", "Calls made", labels=["kind"])
        for kind, count in measured.calls.items():
            calls.add_metric([kind], count)
        yield calls
        yield GaugeMetricFamily("loop_descriptors", "Watched descriptors", measured.descriptors)
        yield GaugeMetricFamily("loop_timers", "Timers that are set", measured.timers)
        yield GaugeMetricFamily("loop_longest_call_seconds", "", measured.longest_call)
        # How long something that becomes ready has to wait: a histogram's buckets are sums.
        buckets, count = [], 0
        for longest in sorted(measured.lag_counts):
            count += measured.lag_counts[longest]
            buckets.append((str(longest), count))
        lag = HistogramMetricFamily("loop_lag_seconds", "Work in an iteration")
        lag.add_metric([], [*buckets, ("+Inf", count)], sum_value=measured.worked)
        yield lag


# The same as it happens, with buckets of one's own: a call of Python's for each iteration.
TICKS = Histogram("loop_tick_seconds", "Work in an iteration", buckets=[0.001, 0.01, 0.1, 1])


class Metrics(RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.write(generate_latest())


async def main(port):
    loop = asyncio.get_running_loop()
    REGISTRY.register(LoopCollector(loop))
    tornado4.metrics(loop).on_tick(lambda waited, worked: TICKS.observe(worked))
    Application([("/metrics", Metrics)]).listen(port, "127.0.0.1")
    print(f"http://127.0.0.1:{port}/metrics on {type(loop)}")
    await asyncio.Event().wait()


try:
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8000))
except KeyboardInterrupt:
    pass
