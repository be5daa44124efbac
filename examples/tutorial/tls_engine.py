import tornado4

try:
    import OpenSSL.SSL  # noqa: F401, pyOpenSSL: only what is imported is told
except ImportError:
    print("without pyOpenSSL Twisted has no TLS")

for library, told in tornado4.tls_engine().items():
    print(f"{library}: {told.engine}, {told.openssl}", told.reason)
