"""What measures, compares and tells; see ../README.md.

`rows` says what a row is, `catalogue` lists all, `peers` and `loops` who is compared.
`rounds` has the peers take turns in a `context`, with `processes` and `programs`;
`results` is what came out and `spread` how sure it is, which `table` shows in a terminal,
`page` and `plots` in the documentation. `changes` compares two results, `guard` two
revisions, `instructions` counts those of the core.
"""
