"""crochet."""

import pytest

from helpers.recipes import needs, output_of

needs("crochet")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_threads():
    names = ["main", "thread0", "thread1", "thread2"]
    assert output_of("crochet_threads.py") == (
        "".join(f"Hello from Twisted, {name}\n" for name in names)
        + "In the thread CrochetReactor on <class 'tornado4.platform.asyncio.EventLoop'>\n"
    )
