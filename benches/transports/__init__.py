"""Servers on ours and on its peers, under the same load; see README.md.

`twisted_rows` and `asyncio_rows` say what is measured and what is wanted (`rows`: what
a row is), `peers` how each server starts,
`serve_twisted`, `serve_asyncio` and `serve_web` are the servers. `processes` starts, pins and
ends them, `measure` measures one of them once, `rounds` has them take turns,
`report` tells.
"""
