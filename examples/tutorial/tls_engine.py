import OpenSSL.SSL  # noqa: F401, pyOpenSSL: only what is imported is told

import tornado4

for library, told in tornado4.tls_engine().items():
    print(f"{library}: {told.engine}, {told.openssl}", told.reason)
