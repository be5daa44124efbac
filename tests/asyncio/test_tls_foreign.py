"""asyncio's TLS with OpenSSL's own programs at the other end, as stock has it."""

import ssl
import sys

import pytest

from helpers import authorities, openssl
from helpers.authorities import HOST, VERSIONS
from helpers.openssl import CLIENT_COMMANDS, SERVER_COMMANDS, needs_openssl
from helpers.tls_asyncio import TLSBuffered, TLSPlain, run_until, serving, told_of
from helpers.transports import on_transports

pytestmark = needs_openssl

LARGE = b"=" * 300_000
# Which OpenSSL 3 has servers do only where it is asked for, and Python has no name for.
ALLOW_CLIENT_RENEGOTIATION = 1 << 8

on_endings = pytest.mark.parametrize("ending", ["in order", "killed"])


def commands(of):
    return [(version, command) for version in VERSIONS for command in [None, *of[version]]]


def server_commands():
    """Our end may well write in the midst of a renegotiation that the server asks for."""
    stuck = pytest.mark.skipif(
        sys.version_info < (3, 11),
        reason="before 3.11 asyncio keeps what is written during a renegotiation until the next "
        "write",
    )
    for version, command in commands(SERVER_COMMANDS):
        renegotiates = version == "1.2" and command in ("r", "R")
        yield pytest.param(version, command, marks=[stuck] if renegotiates else [])


def answering(made, trace):
    """Answers each line, and one of them with much."""

    def answer(protocol):
        data = protocol.data[protocol.answered :]
        protocol.answered = len(protocol.data)
        protocol.transport.write(LARGE if b"much" in data else data.upper())

    hook = "data_received" if made is TLSPlain else "buffer_updated"
    protocol = made(trace, **{hook: answer})
    protocol.answered = 0
    return protocol


@on_transports
@on_endings
@pytest.mark.parametrize("made", [TLSPlain, TLSBuffered])
@pytest.mark.parametrize(("version", "command"), commands(CLIENT_COMMANDS))
def test_a_client(run, version, command, made, ending):
    def scenario(loop, trace):
        context = authorities.server()
        context.options |= ALLOW_CLIENT_RENEGOTIATION
        protocol = answering(made, trace)
        with (
            serving(loop, lambda: protocol, ssl=context) as address,
            openssl.s_client(address[1], version) as child,
        ):
            run_until(loop, lambda: protocol.transport)
            child.type(b"word one\n")
            run_until(loop, child.said(b"WORD ONE"))
            if command:
                child.type(command.encode() + b"\n")
                run_until(loop, child.said(CLIENT_COMMANDS[version][command]))
            child.type(b"word two\n")
            run_until(loop, child.said(b"WORD TWO"))
            child.forget()
            child.type(b"much\n")
            run_until(loop, child.counted(b"=", len(LARGE)))
            openssl.end(child, ending)
            run_until(loop, lambda: protocol.lost)

    trace = run(scenario)
    assert (
        b"".join(event[1] for event in trace if event[0] == "data") == b"word one\nword two\nmuch\n"
    )
    assert [event[0] for event in trace].count("connection_lost") == 1


@on_transports
def test_a_client_that_may_not_renegotiate(run):
    def scenario(loop, trace):
        context = authorities.server()
        context.options |= ssl.OP_NO_RENEGOTIATION
        protocol = answering(TLSPlain, trace)
        with (
            serving(loop, lambda: protocol, ssl=context) as address,
            openssl.s_client(address[1], "1.2") as child,
        ):
            run_until(loop, lambda: protocol.transport)
            child.type(b"word one\n")
            run_until(loop, child.said(b"WORD ONE"))
            child.type(b"R\n")
            run_until(loop, lambda: child.ended() and protocol.lost)

    trace = run(scenario)
    assert trace[-1][0] == "connection_lost"


@on_transports
@on_endings
@pytest.mark.parametrize("made", [TLSPlain, TLSBuffered])
@pytest.mark.parametrize(("version", "command"), server_commands())
def test_a_server(run, version, command, made, ending):
    def scenario(loop, trace):
        context = authorities.client("good")
        context.post_handshake_auth = True
        protocol = answering(made, trace)
        with openssl.s_server(version, "-verify", "3") as child:
            run_until(loop, lambda: openssl.listening_port(child))
            port = openssl.listening_port(child)
            connecting = loop.create_connection(
                lambda: protocol, "127.0.0.1", port, ssl=context, server_hostname=HOST
            )
            loop.run_until_complete(told_of(connecting))
            child.type(b"word one\n")
            run_until(loop, child.said(b"WORD ONE"))
            if command:
                child.type(command.encode() + b"\n")
            if command == "P":
                # What it sends is no TLS.
                run_until(loop, lambda: protocol.lost)
                return
            run_until(loop, child.idle)
            for line in (b"word two\n", b"word three\n"):
                child.type(line)
                run_until(loop, child.said(line.upper().strip()))
            child.forget()
            child.type(b"much\n")
            run_until(loop, child.counted(b"=", len(LARGE)))
            openssl.end(child, ending)
            run_until(loop, lambda: protocol.lost)

    trace = run(scenario)
    data = b"".join(event[1] for event in trace if event[0] == "data")
    assert data == (b"word one\n" if command == "P" else b"word one\nword two\nword three\nmuch\n")
    assert [event[0] for event in trace].count("connection_lost") == 1
