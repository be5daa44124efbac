"""For all tests, in whichever folder. `pythonpath` in pyproject.toml lets them import
`helpers` and `suites`."""

import signal

import pytest

# So that an assertion in there says what was compared.
pytest.register_assert_rewrite("helpers", "suites")


@pytest.fixture(autouse=True)
def signals_as_they_were():
    """Twisted's reactors take SIGINT only from Python's own handler, and one that isn't run
    to its end leaves its own behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
