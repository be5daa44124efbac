"""A transport's attributes, native or not, are those of an object like any other.

Set, deleted, patched, copied, looked at in `vars`: as on Twisted's own transports.
"""

import copy
import pickle
from unittest import mock

import pytest
from twisted.internet.interfaces import IReactorCore

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Traced,
    connected,
    fail,
    on_ends,
    on_some_ends,
    received,
    run_until,
    until_lost,
)

FLAGS = [
    *("connected", "disconnected", "disconnecting", "_writeDisconnecting", "_writeDisconnected"),
    *("streamingProducer", "producerPaused", "TLS", "_aborting"),
]
VALUES = [
    *("producer", "reactor", "protocol", "server", "sessionno", "logstr", "bufferSize"),
    *("dataBuffer", "_tempDataBuffer", "_tempDataLen", "offset", "SEND_LIMIT", "socket"),
    *("client", "hostname", "repstr", "connector", "addr", "realAddress", "_sendmsgQueue"),
    *("addressFamily", "nonsense"),
]
METHODS = [
    *("doRead", "doWrite", "logPrefix", "fileno", "startReading", "stopReading"),
    *("startWriting", "stopWriting", "write", "writeSequence", "writeSomeData"),
    *("loseConnection", "abortConnection", "connectionLost", "readConnectionLost"),
    *("getHost", "getPeer", "getHandle", "registerProducer", "pauseProducing"),
    *("_closeSocket", "_dataReceived", "_postLoseConnection"),
]
# Which of these are set when depends on when what was written is sent.
BUFFERS = {"dataBuffer", "offset"}

NAMES = FLAGS + VALUES + METHODS
on_states = pytest.mark.parametrize("state", ["idle", "producing", "lost"])


class Producer:
    def pauseProducing(self):
        pass

    def resumeProducing(self):
        pass

    def stopProducing(self):
        pass


def come_to(state, reactor, protocol, peer):
    """Brings a connection into a state."""
    if state == "producing":
        protocol.transport.registerProducer(Producer(), True)
        protocol.transport.write(b"hello")
        assert received(reactor, peer, 5) == b"hello"
    elif state == "lost":
        peer.close()
        until_lost(reactor, protocol)


def shown(value):
    """What can be compared between two worlds."""
    if callable(value) and not isinstance(value, mock.Mock):
        return "callable"
    if type(value) in (bool, int):
        return int(value)
    if IReactorCore.providedBy(value):
        return "reactor"
    return type(value).__name__


def look(transport, name, is_set=True):
    """What an attribute has, and whether it was set on the transport itself."""
    try:
        value = shown(getattr(transport, name))
    except Exception as error:
        value = type(error).__name__, str(error).split("'")[-2:]
        value = value[0]
    return (value, name in vars(transport)) if is_set else value


def attempt(function, *args):
    try:
        function(*args)
    except Exception as error:
        return type(error).__name__
    return "done"


def still_works(reactor, trace, protocol, peer):
    """An exchange of messages and the end."""
    peer.setblocking(False)
    peer.send(b"there")
    run_until(reactor, lambda: protocol.data.endswith(b"there"))
    protocol.transport.write(b"back")
    trace.append(received(reactor, peer, 4))
    protocol.transport.unregisterProducer()
    protocol.transport.loseConnection()
    until_lost(reactor, protocol)


def on_each(run, end, state, change):
    """Has `change` do something to a connection; tells what came of it, and whether it works."""

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            come_to(state, reactor, protocol, peer)
            change(transport, trace)
            if state != "lost":
                still_works(reactor, trace, protocol, peer)

    result = run(scenario)
    assert ("lost", "ConnectionDone") in result
    assert (b"back" in result) == (state != "lost")
    return result


@on_reactors
@on_some_ends
@on_states
def test_patched(run, end, state):
    def change(transport, trace):
        for name in NAMES:
            trace.append(name)
            patch(transport, trace, name)

    def patch(transport, trace, name):
        is_set = name not in BUFFERS
        before = look(transport, name, is_set)
        original = getattr(transport, name, None)
        try:
            with mock.patch.object(transport, name) as new:
                trace.append((getattr(transport, name) is new, look(transport, name)))
        except AttributeError:
            trace.append("AttributeError")
        after = look(transport, name, is_set)
        trace.append((before, after))
        if name not in METHODS:
            trace.append(getattr(transport, name, None) == original)

    result = on_each(run, end, state, change)
    assert False not in result


@on_reactors
@on_some_ends
@pytest.mark.parametrize("way", ["setattr", "object", "vars"])
@pytest.mark.parametrize("value", [0, True, 2, None, "word", b"bytes", "original"])
def test_set_and_set_back(run, end, value, way):
    def put(transport, name, value):
        if way == "setattr":
            setattr(transport, name, value)
        elif way == "object":
            object.__setattr__(transport, name, value)
        else:
            vars(transport)[name] = value

    def change(transport, trace):
        for name in NAMES:
            if name != "nonsense":  # there is nothing to be set back
                trace.append(name)
                there_and_back(transport, trace, name)

    def there_and_back(transport, trace, name):
        original = getattr(transport, name, None)
        new = original if value == "original" else value
        trace.append(attempt(put, transport, name, new))
        trace.append((getattr(transport, name) == new, name in vars(transport)))
        if original is None:
            trace.append(attempt(delattr, transport, name))
        else:
            trace.append(attempt(put, transport, name, original))
        if name not in METHODS:
            trace.append((getattr(transport, name, None) == original, look(transport, name)))

    on_each(run, end, "idle", change)


@on_reactors
@on_some_ends
@on_states
@pytest.mark.parametrize("way", ["delattr", "object", "vars"])
def test_deleted(run, end, state, way):
    def delete(transport, name):
        if way == "delattr":
            delattr(transport, name)
        elif way == "object":
            object.__delattr__(transport, name)
        else:
            del vars(transport)[name]

    def change(transport, trace):
        for name in NAMES:
            if name not in BUFFERS:
                trace.append(name)
                delete_twice(transport, trace, name)

    def delete_twice(transport, trace, name):
        before = vars(transport).get(name)
        trace.append(look(transport, name))
        trace.append(attempt(delete, transport, name))
        trace.append(look(transport, name))
        trace.append(attempt(delete, transport, name))
        if trace[-2] != trace[-4]:
            setattr(transport, name, before)
        trace.append(look(transport, name))

    on_each(run, end, state, change)


@on_reactors
@on_ends
@on_states
def test_what_is_in_vars(run, end, state):
    def change(transport, trace):
        names = {name for name in vars(transport) if name not in BUFFERS}
        trace.append(sorted(names))
        trace.append(isinstance(vars(transport), dict))
        for name in sorted(names):
            # The socket object's own `fileno` and ours are two methods.
            if name != "fileno":
                trace.append((name, vars(transport)[name] == getattr(transport, name)))
        trace.append(sorted(dict(vars(transport)).keys() & names) == sorted(names))
        trace.append(names <= set(dir(transport)))

    result = on_each(run, end, state, change)
    assert False not in result


@on_reactors
@on_some_ends
def test_vars_are_alive(run, end):
    def change(transport, trace):
        attributes = vars(transport)
        transport.mine = 1
        transport.sessionno = 77
        trace.append((attributes["mine"], attributes["sessionno"], "mine" in attributes))
        attributes.update(mine=2, logstr="log", yours=3)
        trace.append((transport.mine, transport.logstr, transport.yours))
        trace.append((attributes.pop("mine"), attributes.setdefault("third", 4), transport.third))
        trace.append((hasattr(transport, "mine"), attributes.get("mine"), len(attributes) > 5))
        del attributes["logstr"]
        trace.append(transport.logstr)
        saved = dict(attributes)
        transport.__dict__ = {**saved, "fourth": 5}
        trace.append((transport.fourth, sorted(vars(transport).keys() - saved.keys() - BUFFERS)))
        transport.__dict__ = saved
        trace.append(hasattr(transport, "fourth"))

    result = on_each(run, end, "idle", change)
    assert result[1:5] == [
        (1, 77, True),
        (2, "log", 3),
        (2, 4, 4),
        (False, None, True),
    ]


@on_reactors
@on_ends
@on_states
@pytest.mark.parametrize("mine", [False, True])
def test_copied(run, end, state, mine):
    def change(transport, trace):
        if mine:
            transport.mine = [1]
            transport.bufferSize = 77
            transport.logstr = "mine"
        second = copy.copy(transport)
        trace.append((second is transport, type(second) is type(transport)))
        names = {name for name in vars(transport) if name not in BUFFERS}
        trace.append(sorted(names ^ {name for name in vars(second) if name not in BUFFERS}))
        # A bound method of another object is another method.
        for name in sorted(names - {"_tempDataBuffer", "fileno"}):
            first = getattr(transport, name)
            trace.append((name, getattr(second, name) == first))
        trace.append(second.fileno() == transport.fileno())
        trace.append(attempt(pickle.dumps, transport))
        # It has the same socket, which it mustn't close at its end.
        del second

    result = on_each(run, end, state, change)
    assert result[result.index((False, True)) + 1] == []
    assert ("protocol" if state != "lost" else "connected", True) in result
    assert not [entry for entry in result if isinstance(entry, tuple) and entry[1] is False]


@on_reactors
@on_some_ends
def test_what_waits_is_copied_as_well(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.pauseProducing()
            protocol.transport.write(b"hello")
            second = copy.copy(protocol.transport)
            trace.append(b"".join([second.dataBuffer, *second._tempDataBuffer])[:5])
            trace.append(received(reactor, peer, 5))
            run_turns(reactor)
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)

    assert run(scenario) == ["made", b"hello", b"hello"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("name", ["fileno", "stopReading", "startWriting", "doRead", "logPrefix"])
def test_methods_by_way_of_the_class(run, end, name):
    def change(transport, trace):
        setattr(transport, name, fail)
        method = getattr(type(transport), name)
        trace.append((callable(method), shown(method(transport))))
        vars(transport).pop(name)
        if name == "stopReading":
            transport.startReading()
        elif name == "startWriting":
            transport.stopWriting()
        elif name == "fileno":
            transport.fileno = transport.socket.fileno

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            change(protocol.transport, trace)
            if name == "fileno":
                # A class of Twisted's has none.
                trace[-1] = trace[-1][0]
            still_works(reactor, trace, protocol, peer)

    assert run(scenario)[-2:] == [b"back", ("lost", "ConnectionDone")]
