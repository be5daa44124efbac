"""A transport's name, after its protocol, its port or its connection has gone."""

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import Handing, Traced, run_until, until_lost


def named(transport):
    name, about = transport.logPrefix(), repr(transport)
    return name, about.replace(str(number_of(transport)), "PORT")


def number_of(transport):
    return transport.number


class Second(Traced):
    pass


@on_reactors
@pytest.mark.parametrize("gone", ["nothing", "protocol", "port", "connection", "aborted"])
@pytest.mark.parametrize("asked", ["late", "early"])
def test_the_name_is_that_of_the_beginning(run, gone, asked):
    def scenario(reactor, trace):
        def made(protocol):
            if gone == "aborted":
                protocol.transport.abortConnection()

        server, client = Traced(trace, made=made), Traced([])
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        number = port.getHost().port
        reactor.connectTCP("127.0.0.1", number, Handing(client))
        run_until(reactor, lambda: server.transport and client.transport)
        transport = server.transport
        transport.number = number
        if asked == "early":
            trace.append(named(transport))
        if gone == "protocol":
            transport.protocol = Second(trace)
        elif gone == "port":
            port.stopListening()
            run_turns(reactor)
        elif gone in ["connection", "aborted"]:
            client.transport.loseConnection()
            until_lost(reactor, server, client)
        trace.append(named(transport))
        port.stopListening()

    assert run(scenario)[-1] == ("Traced,0,127.0.0.1", "<Traced #0 on PORT>")
