"""The log's `system` while a transport's protocol is called, and what is logged."""

import re

from twisted.python import context, log

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    TracedHalves,
    connected,
    on_some_ends,
    run_until,
    until_lost,
)


def system():
    return context.get(log.ILogContext).get("system")


class Systems(Traced):
    """Writes down the log's system instead of what happens."""

    def _happened(self, name, *args):
        self.trace.append((name, self._shown()))
        super()._happened(name, *args)

    def _shown(self):
        return system().split("/")[0].split("<")[0]


class SystemsOfHalves(Systems, TracedHalves):
    pass


@on_reactors
@on_some_ends
def test_the_system_is_the_transport_s_name(run, end):
    def scenario(reactor, trace):
        protocol = SystemsOfHalves(trace)
        with connected(reactor, protocol, end) as peer:
            for _ in range(3):
                protocol.data = b""
                peer.send(b"hello")
                run_until(reactor, lambda: protocol.data)
            trace.append(system())
            protocol.transport.loseWriteConnection()
            run_until(reactor, lambda: "write lost" in trace)
            peer.close()
            run_until(reactor, lambda: "read lost" in trace)
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)

    systems = [
        event[1] for event in run(scenario) if event[0] in ("data", "write_lost", "read_lost")
    ]
    assert len(systems) == 5
    assert len(set(systems)) == 1
    assert systems[0].startswith("SystemsOfHalves,")


@on_reactors
@on_some_ends
def test_the_system_at_the_end(run, end):
    def scenario(reactor, trace):
        protocol = Systems(trace)
        with connected(reactor, protocol, end) as peer:
            peer.close()
            until_lost(reactor, protocol)

    trace = run(scenario)
    assert trace[-2] == ("lost", "ConnectionDone")
    assert trace[-1][1].startswith("Systems,")


@on_reactors
@on_some_ends
def test_another_protocol_s_system(run, end):
    class Other(Systems):
        pass

    def scenario(reactor, trace):
        other = Other(trace)

        def switch(protocol):
            protocol.transport.protocol = other
            other.makeConnection(protocol.transport)

        protocol = Systems(trace, data=switch)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data)
            peer.send(b"hello")
            run_until(reactor, lambda: other.data)
            peer.close()
            until_lost(reactor, other)

    trace = run(scenario)
    systems = {event[1] for event in trace if event[0] == "data"} | {trace[-1][1]}
    assert len(systems) == 1
    assert systems.pop().startswith("Systems,")


@on_reactors
@on_some_ends
def test_a_log_string_that_was_set(run, end):
    def scenario(reactor, trace):
        protocol = Systems(trace)
        with connected(reactor, protocol, end) as peer:
            for name in ["first", "second"]:
                protocol.transport.logstr = name
                protocol.data = b""
                peer.send(b"hello")
                run_until(reactor, lambda: protocol.data)
            protocol.transport.logstr = "third"
            peer.close()
            until_lost(reactor, protocol)

    result = run(scenario)
    assert [event[1] for event in result if event[0] in ["data", "lost"] and len(event) == 2][
        :2
    ] == ["first", "second"]


@on_reactors
@on_some_ends
def test_what_a_protocol_puts_into_the_context_stays_its_own(run, end):
    def scenario(reactor, trace):
        kept = []

        def spoil(protocol):
            kept.append(context.get(log.ILogContext))
            trace.append(sorted(kept[-1]))
            kept[-1]["mine"] = "spoilt"

        protocol = Traced(trace, data=spoil)
        with connected(reactor, protocol, end) as peer:
            for _ in range(3):
                protocol.data = b""
                peer.send(b"hello")
                run_until(reactor, lambda: protocol.data)
            trace.append("mine" in context.get(log.ILogContext))

    result = run(scenario)
    assert result[1] == result[2] == result[3]
    assert result[4] is False


@on_reactors
def test_the_system_in_nested_turns(run):
    def scenario(reactor, trace):
        inner = Systems(trace)
        with connected(reactor, inner) as inner_peer:

            def turn(protocol):
                inner_peer.send(b"inner")
                while not inner.data:
                    reactor.iterate(0.01)
                trace.append(("after", system().split(",")[0]))

            outer = Systems(trace, data=turn)
            with connected(reactor, outer) as outer_peer:
                outer_peer.send(b"outer")
                run_until(reactor, lambda: ("after", "Systems") in trace)

    data = ("data", "Systems,0,127.0.0.1")
    assert [event for event in run(scenario) if event[0] in ["data", "after"]] == [
        data,
        data,
        ("after", "Systems"),
    ]


@on_reactors
def test_an_error_s_system(run):
    def scenario(reactor, trace):
        def observe(event):
            if event["isError"]:
                trace.append(event.get("system"))

        def fail(protocol):
            raise ValueError("mine")

        log.addObserver(observe)
        try:
            protocol = Traced(trace, data=fail, lost=fail)
            with connected(reactor, protocol) as peer:
                peer.send(b"hello")
                until_lost(reactor, protocol)
                run_turns(reactor)
        finally:
            log.removeObserver(observe)

    assert "Traced,0,127.0.0.1" in run(scenario)


@on_reactors
def test_messages_of_ports_and_factories(run):
    def scenario(reactor, trace):
        def observe(event):
            text = " ".join(map(str, event["message"]))
            text = re.sub(r"\b\d{4,5}\b", "PORT", text)
            trace.append((event["system"], text.split(" of ")[0].split(" at ")[0]))

        log.addObserver(observe)
        try:
            server, client = Traced([]), Traced([])
            factory, other = Handing(server), Handing(client)
            factory.noisy = other.noisy = True
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            connector = reactor.connectTCP("127.0.0.1", port.getHost().port, other)
            run_until(reactor, lambda: client.transport and server.transport)
            connector.disconnect()
            until_lost(reactor, server, client)
            port.stopListening()
            run_turns(reactor)
        finally:
            log.removeObserver(observe)
        # The two ends are told in an order of their own. What Twisted says of the main
        # loop's end is a legacy message in its older versions only.
        trace[:] = sorted(
            {
                (system, text)
                for system, text in trace
                if text and "<" not in text and "Main loop" not in text
            }
        )

    assert ("-", "(TCP Port PORT Closed)") in run(scenario)
