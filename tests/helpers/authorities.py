"""Certificates that `trustme` makes, good ones and those that are refused, and the
contexts of both TLS libraries that use them."""

import datetime
import functools
import ssl as stdlib_ssl
import tempfile

import pytest
import trustme
from OpenSSL import SSL
from twisted.internet import ssl

# Whom the client believes it has reached.
HOST = "test"

# What a server or a client may show, none of which but the first is good.
CERTIFICATES = ["good", "expired", "wrong name", "unknown"]
VERSIONS = ["1.2", "1.3"]

# Of the tests on both faces.
on_versions = pytest.mark.parametrize("version", VERSIONS)
on_ends = pytest.mark.parametrize("end", ["server", "client"])

_STDLIB = {"1.2": stdlib_ssl.TLSVersion.TLSv1_2, "1.3": stdlib_ssl.TLSVersion.TLSv1_3}


def _named_as_newest():
    """What makes 1.2 the newest version: up to Twisted 23.10 the one that is named is left out
    as well."""
    named = ssl.TLSVersion.TLSv1_3
    options = ssl.CertificateOptions(lowerMaximumSecurityTo=named).getContext().set_options(0)
    return named if options & SSL.OP_NO_TLSv1_3 else ssl.TLSVersion.TLSv1_2


_TWISTED = {
    "1.2": {"lowerMaximumSecurityTo": _named_as_newest()},
    "1.3": {"raiseMinimumTo": ssl.TLSVersion.TLSv1_3},
}


@functools.cache
def authority(name="ours"):
    return trustme.CA(organization_name=name)


@functools.cache
def issued(kind, name=HOST):
    """A certificate with its key."""
    if kind == "expired":
        past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
        return authority().issue_cert(name, not_before=past, not_after=past)
    if kind == "unknown":
        return authority("somebody else's").issue_cert(name)
    return authority().issue_cert("elsewhere" if kind == "wrong name" else name)


def pinned(context, version):
    if version:
        context.minimum_version = context.maximum_version = _STDLIB[version]
    return context


def server(kind="good", version=None, clients=stdlib_ssl.CERT_NONE, name=HOST):
    """The standard library's context; `clients` says what is asked of clients."""
    context = stdlib_ssl.SSLContext(stdlib_ssl.PROTOCOL_TLS_SERVER)
    issued(kind, name).configure_cert(context)
    context.verify_mode = clients
    authority().configure_trust(context)
    return pinned(context, version)


def client(kind=None, version=None):
    """The standard library's context; `kind` is what the client shows of itself."""
    context = stdlib_ssl.SSLContext(stdlib_ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    if kind:
        issued(kind).configure_cert(context)
    return pinned(context, version)


@functools.cache
def private(kind, name=HOST):
    """Twisted's certificate with its key."""
    return ssl.PrivateCertificate.loadPEM(issued(kind, name).private_key_and_cert_chain_pem.bytes())


@functools.cache
def root():
    return ssl.Certificate.loadPEM(authority().cert_pem.bytes())


def twisted_server(kind="good", version=None, clients=None, **more):
    """Twisted's context; `clients` says whether they need a certificate, None whether they
    are asked for one at all."""
    own = private(kind)
    if clients is not None:
        more.update(verify=True, caCerts=[root().original], requireCertificate=clients)
    return ssl.CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        **_TWISTED.get(version, {}),
        **more,
    )


def twisted_client(kind=None, version=None, name=HOST, **more):
    return ssl.optionsForClientTLS(
        name,
        trustRoot=root(),
        clientCertificate=private(kind) if kind else None,
        extraCertificateOptions=_TWISTED.get(version, {}),
        **more,
    )


_PEERS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def peer_context(kind=None, version=None):
    """For an end that believes everything, so that only ours refuses."""
    context = SSL.Context(SSL.TLS_METHOD)
    if kind:
        own = private(kind)
        context.use_privatekey(own.privateKey.original.to_cryptography_key())
        context.use_certificate(own.original.to_cryptography())
    if version:
        context.set_min_proto_version(_PEERS[version])
        context.set_max_proto_version(_PEERS[version])
    return context


def demanding(context):
    """Has a peer's context ask for a certificate of ours, and refuse any other."""
    context.get_cert_store().add_cert(root().original)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


@functools.cache
def files():
    """Paths for programs: of the authority's certificate, and of the server's with its key.
    They last as long as the process."""
    folder = tempfile.TemporaryDirectory()
    paths = f"{folder.name}/authority.pem", f"{folder.name}/server.pem"
    authority().cert_pem.write_to_path(paths[0])
    issued("good").private_key_and_cert_chain_pem.write_to_path(paths[1])
    return (*paths, folder)
