"""Calls, timers, threads, descriptors and tasks: work inside one process.

`asyncio_work`, `twisted_work`, `tornado_work`, `awaiting_work` and `threads_work` say what is
measured, `patterns` is the code that all faces have in common, `hosts` the loops. `worker` is
the process of one host, `work` has it work.
"""
