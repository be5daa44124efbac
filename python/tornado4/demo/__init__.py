"""Tornado, Twisted and asyncio in one process, one thread and one event loop.

Read it in this order: ``__main__`` (the start-up), ``services`` (five servers),
``clients`` (who can call them), ``pairs`` (every client against every server) and
``bridges`` (Deferreds, coroutines, threads, timers and child processes).

``python -m tornado4.demo`` shows them talking, ``--check`` tests every pair,
``--serve`` keeps the servers up. Importing this package installs nothing.
"""
