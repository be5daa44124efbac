"""Servers on ours and on its peers, under the same load; see README.md.

`rows` says what is measured and what is wanted, `peers` how each server starts,
`serve_twisted` and `serve_asyncio` are the servers. `processes` starts, pins and
ends them, `measure` measures one of them once, `rounds` has them take turns,
`report` tells.
"""
