"""All the tests of TLS once more, in processes where the slower one of the two engines is
used: each does by itself what the other does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tornado4

TESTS = Path(__file__).parent.parent

MODULES = sorted(
    path.relative_to(TESTS).as_posix()
    for pattern in ("test_tls*.py", "test_transports_tls*.py", "test_start_tls.py")
    for path in TESTS.glob(f"*/{pattern}")
    if path != Path(__file__)
)
# Those in which other things are tested too.
PARTS = [("asyncio/test_stream_random.py", "tls"), ("tornado/test_differential_streams.py", "tls")]

ENVIRONMENT = os.environ | {"TORNADO4_TLS": "fallback"}


def test_the_modules():
    assert {module.split("/")[0] for module in MODULES} == {
        *("asyncio", "tornado", "twisted", "together"),
    }


@pytest.mark.skipif(not hasattr(tornado4, "tls_engine"), reason="there is one engine only")
def test_it_is_what_is_asked_for():
    code = "import tornado4, OpenSSL; print({e.engine for e in tornado4.tls_engine().values()})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    engines = "{'fallback'}" if sys.version_info >= (3, 11) else "{'stock', 'fallback'}"
    assert (eval(done.stdout), done.stderr) == (eval(engines), "")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("module", "only"), [*((module, "") for module in MODULES), *PARTS], ids=str
)
def test_fallback(module, only):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-k", only),
            *("-p", "no:cacheprovider", str(TESTS / module)),
        ],
        cwd=TESTS.parent,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1100,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
