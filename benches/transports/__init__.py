"""Servers on ours and on its peers, under the same load; see README.md.

`twisted_rows`, `asyncio_rows` and `tls_rows` say what is measured and what is wanted
(`rows`: what a row is), `peers` how each server starts, `certificate` makes what the TLS
servers need. `serve_twisted`, `serve_asyncio`, `serve_tornado` and `serve_web` are the
servers. `processes` starts, pins and
ends them, `measure` measures one of them once, `rounds` has them take turns,
`report` tells.
"""
