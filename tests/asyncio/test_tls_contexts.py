"""What asyncio's TLS makes of everything that a context can be told: as stock has it."""

import ssl
from unittest import mock

import pytest

from helpers import authorities
from helpers.authorities import HOST, on_versions
from helpers.scenarios import turns
from helpers.tls_asyncio import TLSPlain, connect, facing, part, talk
from helpers.transports import on_transports


@on_transports
@on_versions
@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "h2"),
        (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        (["h2"], ["spdy/1"], None),
        (["h2"], [], None),
        ([], ["h2"], None),
    ],
)
def test_alpn(run, offered, wanted, chosen, version):
    def scenario(loop, trace):
        sides = authorities.server(version=version), authorities.client()
        for context, protocols in zip(sides, (offered, wanted), strict=True):
            if protocols:
                context.set_alpn_protocols(protocols)
        result, *ends = connect(loop, *sides)
        trace.append(result)
        for end in ends:
            if result == "connected":
                own = end.transport.get_extra_info("ssl_object")
                trace.append(own.selected_alpn_protocol())
        trace.append(talk(loop, *ends))
        part(loop, *ends)

    assert run(scenario)[:3] == ["connected", chosen, chosen]


@on_transports
@on_versions
@pytest.mark.parametrize(
    "action", ["nothing", "another context", "an alert", "raise", "wrong", "hang up"]
)
def test_sni(run, action, version):
    """What a callback for the server's name does, which runs within the handshake."""

    def scenario(loop, trace):
        context = authorities.server("wrong name", version)
        good = authorities.server(version=version)

        def chosen(own, name, of):
            trace.append(("sni", type(own).__name__, name, of is context))
            if action != "nothing":
                own.context = good
            if action == "an alert":
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            if action == "wrong":
                return "no number"
            if action == "raise":
                raise ValueError("mine")
            if action == "hang up":
                both.peer.close()
            return None

        context.sni_callback = chosen
        protocol = TLSPlain(trace)
        theirs = authorities.peer_context()
        with (
            facing(loop, protocol, "server", context, theirs) as both,
            mock.patch("sys.unraisablehook", lambda info: trace.append(info.exc_type.__name__)),
        ):
            peer = both.peer
            both.until(lambda: peer.hung_up or peer.handshake())
            if peer.hung_up is None and peer.ended is None:
                shown_to_it = peer.tls.get_peer_certificate(as_cryptography=True)
                trace.append(shown_to_it == authorities.root().original)
                trace.append(len(shown_to_it.subject))
                peer.send(b"data")
                both.until(lambda: protocol.data)
                peer.close_notify()
            both.until(lambda: peer.gone() and (protocol.lost or not protocol.transport))
            turns(loop, 5)
            trace.append((peer.ended, protocol.transport is not None))

    trace = run(scenario)
    assert ("sni", "SSLObject", HOST, True) in trace
    done = ("connection_made",) in trace
    assert done == (action in ("nothing", "another context"))
    assert ("ValueError" in trace) == (action == "raise")


@on_transports
@on_versions
def test_a_session_that_a_foreign_client_resumes(run, version):
    def scenario(loop, trace):
        server = authorities.server(version=version)
        theirs = authorities.peer_context()
        session = None
        for _ in range(3):
            protocol = TLSPlain([], connection_made=lambda own: own.transport.write(b"welcome"))
            with facing(loop, protocol, "server", server, theirs) as both:
                peer = both.peer
                if session is not None:
                    peer.tls.set_session(session)
                both.shaken()
                # Behind the tickets, which are data's first.
                both.until(lambda: peer.receive() or peer.data)  # noqa: B023
                session = peer.tls.get_session()
                own = protocol.transport.get_extra_info("ssl_object")
                trace.append((own.session_reused, own.version()))
                peer.send(b"thanks")
                both.until(lambda: protocol.data)  # noqa: B023
                peer.close_notify()
                both.over()

    names = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}
    assert run(scenario) == [(reused, names[version]) for reused in (False, True, True)]


class Resuming(ssl.SSLContext):
    """A context of somebody's own that hands out its last session."""

    session = None

    def wrap_bio(self, *args, **kwargs):
        return super().wrap_bio(*args, **kwargs, session=self.session)


@on_transports
@on_versions
def test_a_session_that_our_client_resumes(run, version):
    def scenario(loop, trace):
        server = authorities.server(version=version)
        client = Resuming(ssl.PROTOCOL_TLS_CLIENT)
        authorities.authority().configure_trust(client)
        for _ in range(3):
            result, *ends = connect(loop, server, client)
            trace.append(result)
            talk(loop, *ends)
            own = ends[1].transport.get_extra_info("ssl_object")
            trace.append((own.session_reused, own.session is not None))
            client.session = own.session
            part(loop, *ends)

    trace = run(scenario)
    assert [reused for reused, _ in trace[1::2]] == [False, True, True]


@on_transports
@pytest.mark.parametrize("tickets", [0, 1, 20])
def test_tickets_behind_the_handshake(run, tickets):
    """Records that hold no data come to a client before and with the first that do."""

    def scenario(loop, trace):
        server = authorities.server(version="1.3")
        server.num_tickets = tickets
        protocol = TLSPlain(trace)
        theirs = authorities.peer_context("good", "1.3")
        with facing(loop, protocol, "client", authorities.client(), theirs) as both:
            peer = both.shaken()
            both.outcome()
            peer.send(b"foreign")
            both.until(lambda: protocol.data)
            peer.close_notify()
            both.over()
        _, *ends = connect(loop, server, authorities.client())
        trace.append(talk(loop, *ends))
        part(loop, *ends)

    assert run(scenario)[-1] == (b"from the second", b"from the first")


@on_transports
@on_versions
def test_a_keylog(run, version, tmp_path):
    def scenario(loop, trace):
        sides = authorities.server(version=version), authorities.client()
        paths = [tmp_path / f"{len(list(tmp_path.iterdir()))}{name}" for name in "sc"]
        for context, path in zip(sides, paths, strict=True):
            context.keylog_filename = str(path)
        _, *ends = connect(loop, *sides)
        trace.append(talk(loop, *ends))
        part(loop, *ends)
        logs = [
            sorted(line for line in path.read_text().splitlines() if line[0] != "#")
            for path in paths
        ]
        trace.append((logs[0] == logs[1], [line.split()[0] for line in logs[0]]))

    same, labels = run(scenario)[-1]
    assert same
    assert "CLIENT_RANDOM" in labels or len(labels) == 5


@on_transports
@on_versions
def test_messages_that_are_watched(run, version):
    """By a callback that runs within reading and writing."""

    def scenario(loop, trace):
        sides = authorities.server(version=version), authorities.client()
        seen = {"server": [], "client": []}
        for context, name in zip(sides, seen, strict=True):
            context._msg_callback = lambda *args, name=name: seen[name].append(
                (type(args[0]).__name__, *map(str, args[1:5]))
            )
        _, *ends = connect(loop, *sides)
        trace.append(talk(loop, *ends))
        part(loop, *ends)
        trace.append(seen)

    seen = run(scenario)[-1]
    assert len(seen["server"]) > 5 < len(seen["client"])


@on_transports
@on_versions
def test_what_is_to_be_known(run, version):
    names = ("cipher", "compression", "peercert", "nothing", "sslcontext")

    def scenario(loop, trace):
        sides = (
            authorities.server(version=version, clients=ssl.CERT_REQUIRED),
            authorities.client("good"),
        )
        _, *ends = connect(loop, *sides)
        for end, context in zip(ends, sides, strict=True):
            info = end.transport.get_extra_info
            trace.append(info("sslcontext") is context)
            trace.append([info(name, "default") for name in names[:-1]])
            own = info("ssl_object")
            trace.append((type(own), own.version(), own.cipher(), own.compression()))
            trace.append((own.server_side, own.server_hostname, own.pending()))
            trace.append((own.getpeercert() == info("peercert"), len(own.getpeercert(True)) > 100))
            trace.append(own.context is context)
            trace.append(own.shared_ciphers() is not None)
            trace.append(type(own.get_channel_binding("tls-unique")).__name__)
            trace.append(type(info("socket").fileno()).__name__)
            trace.append(info("peername")[0])
        trace.append(talk(loop, *ends))
        part(loop, *ends)
        for end in ends:
            trace.append([end.transport.get_extra_info(name, "none") for name in names[:2]])
            trace.append(end.transport.is_closing())

    trace = run(scenario)
    assert trace[0] is True
    assert trace[1][0][1] == f"TLSv{version}"


class Counting(ssl.SSLObject):
    """Somebody's own, which sees everything that goes through it."""

    calls = ()

    def read(self, *args):
        self.calls = (*self.calls, "read")
        return super().read(*args)

    def write(self, data):
        self.calls = (*self.calls, "write")
        return super().write(bytes(data).upper())


@on_transports
@on_versions
def test_an_object_of_somebody_s_own(run, version):
    def scenario(loop, trace):
        sides = authorities.server(version=version), authorities.client()
        for context in sides:
            context.sslobject_class = Counting
        _, *ends = connect(loop, *sides)
        trace.append(talk(loop, *ends))
        for end in ends:
            own = end.transport.get_extra_info("ssl_object")
            trace.append((type(own), set(own.calls)))
        part(loop, *ends)

    trace = run(scenario)
    assert trace[0] == (b"FROM THE SECOND", b"FROM THE FIRST")
    assert trace[1] == (Counting, {"read", "write"})
