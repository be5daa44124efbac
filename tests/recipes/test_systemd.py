"""systemd's socket activation and notifications, by a launcher that does what it does."""

import contextlib
import signal
import socket
import threading

import pytest

from helpers.recipes import LIMIT, fetch, recipe, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOP = "tornado4.platform.asyncio.EventLoop"
# The socket is descriptor 3, and the process its own, by exec.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
os.execv(sys.executable, [sys.executable, sys.argv[2]])
"""


@contextlib.contextmanager
def launched(sock, notify, **env):
    fd = sock.fileno()
    command = ["-c", LAUNCHER, str(fd), recipe("systemd_service.py")]
    env["NOTIFY_SOCKET"] = notify
    with running(*command, pass_fds=[fd], env=env) as program:
        yield program


@pytest.fixture(params=["path", "abstract"])
def notified(request, tmp_path):
    """systemd's end of the notifications, and its address as it is in the environment."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(LIMIT)
        if request.param == "abstract":
            sock.bind("\0" + address)
            yield sock, "@" + address
        else:
            sock.bind(address)
            yield sock, address


def test_a_service(notified):
    notifications, address = notified
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        answers = []
        # Before the service is there: systemd starts it for this one.
        first = threading.Thread(target=lambda: answers.append(fetch(url)))
        first.start()
        for _ in range(2):
            with launched(listening, address) as program:
                ready = notifications.recv(1000).decode()
                assert ready == f"READY=1\nSTATUS=On {LOOP}"
                assert fetch(url) == f"hello from {program.process.pid}\n".encode()
                first.join(LIMIT)
                program.process.send_signal(signal.SIGTERM)
                assert notifications.recv(1000) == b"STOPPING=1"
                assert program.ends().endswith("Stopped\n")
            # The socket stays open, for the next one.
        [answer] = answers
        assert answer.startswith(b"hello from ")


def test_the_watchdog(notified):
    notifications, address = notified
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        launched(listening, address, WATCHDOG_USEC="100000") as program,
    ):
        said = [notifications.recv(1000).decode() for _ in range(4)]
        assert [text.partition("\n")[0] for text in said] == ["READY=1"] + ["WATCHDOG=1"] * 3
        program.ends(signal.SIGINT)
