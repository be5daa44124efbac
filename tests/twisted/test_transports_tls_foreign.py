"""Twisted's TLS with OpenSSL's own programs at the other end, as stock has it."""

import pytest

from helpers import authorities, openssl
from helpers.authorities import VERSIONS
from helpers.loops import on_reactors
from helpers.openssl import CLIENT_COMMANDS, SERVER_COMMANDS, needs_openssl
from helpers.streams import Handing
from helpers.tls_twisted import LOCAL, Shaking, run_until

pytestmark = needs_openssl

LARGE = b"=" * 300_000
# Which OpenSSL 3 has servers do only where it is asked for, and pyOpenSSL has no name for.
ALLOW_CLIENT_RENEGOTIATION = 1 << 8

on_endings = pytest.mark.parametrize("ending", ["in order", "killed"])


class Allowing:
    """A context factory of the old kind; Twisted's own contexts let nobody renegotiate."""

    def __init__(self):
        self.context = authorities.peer_context("good", "1.2")
        self.context.set_options(ALLOW_CLIENT_RENEGOTIATION)

    def getContext(self):
        return self.context


def commands(of):
    return [(version, command) for version in VERSIONS for command in [None, *of[version]]]


def answering(trace):
    """Answers each line, and one of them with much."""

    def answer(protocol):
        data = protocol.data[protocol.answered :]
        protocol.answered = len(protocol.data)
        protocol.transport.write(LARGE if b"much" in data else data.upper())

    protocol = Shaking(trace, data=answer)
    protocol.answered = 0
    return protocol


@on_reactors
@on_endings
@pytest.mark.parametrize(("version", "command"), commands(CLIENT_COMMANDS))
def test_a_client(run, version, command, ending):
    def scenario(reactor, trace):
        options = Allowing() if command == "R" else authorities.twisted_server()
        protocol = answering(trace)
        port = reactor.listenSSL(0, Handing(protocol), options, interface=LOCAL)
        with openssl.s_client(port.getHost().port, version) as child:
            run_until(reactor, lambda: protocol.shaken)
            child.type(b"word one\n")
            run_until(reactor, child.said(b"WORD ONE"))
            if command:
                child.type(command.encode() + b"\n")
                run_until(reactor, child.said(CLIENT_COMMANDS[version][command]))
            child.type(b"word two\n")
            run_until(reactor, child.said(b"WORD TWO"))
            child.forget()
            child.type(b"much\n")
            run_until(reactor, child.counted(b"=", len(LARGE)))
            openssl.end(child, ending)
            run_until(reactor, lambda: protocol.lost)
        port.stopListening()

    trace = run(scenario)
    data = b"".join(event[1] for event in trace if event[0] == "data")
    assert data == b"word one\nword two\nmuch\n"
    assert trace[-1][0] == "lost"


@on_reactors
def test_a_client_that_may_not_renegotiate(run):
    def scenario(reactor, trace):
        protocol = answering(trace)
        port = reactor.listenSSL(
            0, Handing(protocol), authorities.twisted_server(), interface=LOCAL
        )
        with openssl.s_client(port.getHost().port, "1.2") as child:
            run_until(reactor, lambda: protocol.shaken)
            child.type(b"word one\n")
            run_until(reactor, child.said(b"WORD ONE"))
            child.type(b"R\n")
            run_until(reactor, lambda: child.ended() and protocol.lost)
        port.stopListening()

    trace = run(scenario)
    assert trace[:3] == ["made", "handshake", ("data", b"word one\n")]
    assert trace[-1][0] == "lost"


@on_reactors
@on_endings
@pytest.mark.parametrize(("version", "command"), commands(SERVER_COMMANDS))
def test_a_server(run, version, command, ending):
    def scenario(reactor, trace):
        protocol = answering(trace)
        with openssl.s_server(version, "-verify", "3") as child:
            run_until(reactor, lambda: openssl.listening_port(child))
            options = authorities.twisted_client("good")
            reactor.connectSSL(LOCAL, openssl.listening_port(child), Handing(protocol), options)
            run_until(reactor, lambda: protocol.shaken)
            child.type(b"word one\n")
            run_until(reactor, child.said(b"WORD ONE"))
            if command:
                child.type(command.encode() + b"\n")
            if command == "P":
                # What it sends is no TLS.
                run_until(reactor, lambda: protocol.lost)
                return
            run_until(reactor, child.idle)
            for line in (b"word two\n", b"word three\n"):
                child.type(line)
                run_until(reactor, child.said(line.upper().strip()))
            child.forget()
            child.type(b"much\n")
            run_until(reactor, child.counted(b"=", len(LARGE)))
            openssl.end(child, ending)
            run_until(reactor, lambda: protocol.lost)

    trace = run(scenario)
    data = b"".join(event[1] for event in trace if event[0] == "data")
    whole = b"word one\nword two\nword three\nmuch\n"
    assert data == (b"word one\n" if command == "P" else whole)
    assert trace[-1][0] == "lost"
