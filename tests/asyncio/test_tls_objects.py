"""asyncio's TLS where somebody changes its objects while the connection stands."""

import functools
import ssl
import sys

import pytest

from helpers.scenarios import turns
from helpers.tls_peer import TLSPeer
from helpers.transports import Plain, on_transports

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10's protocol for TLS is another one"
)


class Echo(Plain):
    def data_received(self, data):
        self.transport.write(data)


def exchanged(peer, data):
    peer.write(data)
    return peer.read_all(len(data))


@on_transports
@pytest.mark.parametrize("where", ["on the object", "in the class"])
@pytest.mark.parametrize("name", ["read", "write"])
def test_a_method_of_the_ssl_object_is_called(run, name, where, monkeypatch):
    """One that is put there when the connection stands, and until it is taken away."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Echo([]))
        sslobj = peer.transport.get_extra_info("ssl_object")
        called = []
        trace.append(exchanged(peer, b"first"))
        original = getattr(ssl.SSLObject, name)

        def own(*args):
            called.append(name)
            return original(*args)

        if where == "in the class":
            monkeypatch.setattr(ssl.SSLObject, name, own)
        else:
            monkeypatch.setattr(sslobj, name, functools.partial(own, sslobj), raising=False)
        trace.append(exchanged(peer, b"second"))
        trace.append(bool(called))
        monkeypatch.undo()
        vars(sslobj).pop(name, None)
        called.clear()
        trace.append(exchanged(peer, b"third"))
        trace.append(bool(called))
        peer.close()

    assert run(scenario)[:5] == [b"first", b"second", True, b"third", False]


@on_transports
@pytest.mark.parametrize("name", ["_sslobj", "_incoming", "_state", "everything"])
def test_attributes_that_are_deleted_end_the_connection(run, name):
    """It isn't tried again and again."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain([]))
        attributes = vars(peer.tls_protocol)
        kept = dict(attributes)
        if name == "everything":
            attributes.clear()
        else:
            del attributes[name]
        reports = []
        loop.set_exception_handler(lambda _loop, context: reports.append(context["message"]))
        lower = kept["_transport"]
        peer.write(b"hello")
        turns(loop, 10)
        trace.append((reports[0], lower.is_closing()))
        # There is another one if `connection_lost` misses them, too.
        trace.append(len(reports) <= 2)
        attributes.update(kept)
        peer.close()

    assert run(scenario)[1]


@on_transports
@pytest.mark.parametrize("act", ["abort", "another protocol", "its own again", "nothing"])
def test_a_small_buffer_of_somebodys_own(run, act):
    """What follows a piece isn't told to whom it no longer concerns, nor lost."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain([]))
        tls = peer.tls_protocol
        lower, buffer, calls = tls._transport, bytearray(50), []
        other = Plain([])

        def updated(count):
            calls.append(count)
            if act == "abort":
                lower.abort()
            elif act == "another protocol":
                lower.set_protocol(other)
            elif act == "its own again":
                tls._incoming.write(buffer[:count])
                vars(tls).pop("get_buffer", None)
                vars(tls).pop("buffer_updated", None)

        tls.get_buffer = lambda _hint: memoryview(buffer)
        tls.buffer_updated = updated
        data = b"y" * 500
        if act == "its own again":
            peer.write(data)
        else:
            peer.send_raw(data)
        turns(loop, 20)
        trace.append((calls, other.data, peer.protocol.data))
        lower.abort()
        turns(loop, 2)

    calls, other, own = run(scenario)[0]
    assert calls == [50] * (10 if act == "nothing" else 1)
    assert len(other) == (450 if act == "another protocol" else 0)
    assert len(own) == (500 if act == "its own again" else 0)
