"""Servers on ours and on its peers, under the same load.

`twisted_rows`, `asyncio_rows`, `tornado_rows`, `tls_rows` and `growth_rows` say what is
measured, `serve_twisted`, `serve_asyncio`, `serve_tornado` and `serve_web` are the servers,
and `work` has one of them serve under load.
"""
