"""OpenSSL's own programs as the other end of a TLS connection."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from helpers.authorities import HOST, files
from helpers.transports import queued

PROGRAM = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(not PROGRAM, reason="the program `openssl` is not installed")

OPTIONS = {"1.2": "-tls1_2", "1.3": "-tls1_3"}

# What the client does at a line with this letter, and what it says then.
CLIENT_COMMANDS = {
    "1.2": {"R": b"RENEGOTIATING"},
    # It sends the message with the next data.
    "1.3": {"k": b"KEYUPDATE", "K": b"KEYUPDATE"},
}
# The same of the server: R asks for a certificate too, P sends words in the clear, c asks for
# a certificate after the handshake.
SERVER_COMMANDS = {
    "1.2": ["r", "R", "P"],
    "1.3": ["k", "K", "c", "P"],
}


class Child:
    """One of OpenSSL's programs, to be waited for while a loop runs."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = b""

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.process.stdout.fileno(), 65_536):
                self.output += data
        return self.output

    def said(self, *words):
        """For waiting: whether it has said all of it."""
        return lambda: all(word in self.read() for word in words)

    def counted(self, byte, count):
        return lambda: self.read().count(byte) >= count

    def forget(self):
        self.read()
        self.output = b""

    def type(self, line):
        """Two lines that are read at once are one: wait for `idle` before the next one."""
        os.write(self.process.stdin.fileno(), line)

    def idle(self):
        """For waiting: whether what was typed has been read."""
        self.read()
        return not queued(self.process.stdin.fileno())

    def ended(self):
        self.read()
        return self.process.poll() is not None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def s_client(port, version, *more):
    root = files()[0]
    return Child(
        *("s_client", "-connect", f"127.0.0.1:{port}", OPTIONS[version], "-CAfile", root),
        *("-servername", HOST, "-verify_return_error", *more),
    )


def s_server(version, *more):
    """A server for one client, whose certificate it may ask for."""
    root, own = files()[:2]
    return Child(
        *("s_server", "-accept", "127.0.0.1:0", OPTIONS[version], "-cert", own, "-key", own),
        *("-CAfile", root, "-naccept", "1", *more),
    )


def listening_port(child):
    """For waiting: the port, once the server has said so."""
    found = re.search(rb"ACCEPT 127\.0\.0\.1:(\d+)", child.read())
    return found and int(found[1])


def end(child, how):
    """Has a program end: in order, or without a word."""
    if how == "in order":
        child.type(b"Q\n")
    else:
        child.process.kill()
