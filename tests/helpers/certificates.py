"""A certificate for 127.0.0.1 and the TLS contexts that use it."""

import datetime
import functools
import ssl as stdlib_ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import ssl


@functools.cache
def pem_of_all():
    """A certificate that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return pem + made.public_bytes(serialization.Encoding.PEM)


@functools.cache
def certificate():
    return ssl.PrivateCertificate.loadPEM(pem_of_all())


def server_context():
    return certificate().options()


def client_context():
    """Trusts the certificate, and nothing else."""
    return ssl.optionsForClientTLS(
        "test", trustRoot=ssl.Certificate.loadPEM(certificate().dumpPEM())
    )


@functools.cache
def ssl_contexts():
    """The standard library's contexts, for a server and for its clients."""
    server = stdlib_ssl.SSLContext(stdlib_ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(pem_of_all())
        pem.flush()
        server.load_cert_chain(pem.name)
    client = stdlib_ssl.create_default_context(cadata=certificate().dumpPEM().decode())
    return server, client
