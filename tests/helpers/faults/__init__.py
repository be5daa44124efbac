"""System calls that fail or fall short, at any step of programs on all three faces.

`shim.c` is what lets them fail; `shim` compiles, loads and plans it. `asyncio_side`,
`tornado_side` and `twisted_side` are the same server and client on each face, stock or ours;
`peers` talks to them from threads that no fault reaches. `rounds` is what runs in a process of
its own: one fault after the other, and what came of each.
"""
