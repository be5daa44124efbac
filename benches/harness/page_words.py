"""What the page says beside the figures."""

from __future__ import annotations

HEAD = """\
# Benchmarks

<!-- Made by `python benches/run.py plot`; edit benches/harness/page_words.py instead. -->

How much of the same work gets done on tornado4 and on the loops that there are beside it.
Every figure, table and picture on this page is made by the program that has measured them, out
of one file of results, `benches/results/published.json`.
{provisional}
![The same programs: how much gets done in a second of CPU time](plots/readme.svg)

## How to repeat it

```console
$ make bench                                   # everything, about 15 minutes
$ python benches/run.py --quick                # some of it, in two minutes
$ python benches/run.py --only tls scrapy-http --json mine.json
$ python benches/run.py --only tcp --peers uvloop mypackage:new_loop
$ python benches/run.py --list
```

The `bench` extra installs all peers (`pip install ".[bench]"`); the servers need cargo,
which builds the load generator, and two CPUs. A peer that isn't there, crashes or hangs is told,
and the rest goes on.

## What was measured on

| | |
|---|---|
| day | {day} |
| CPU | {cpu}, {cpus} of them, {memory} GiB of memory |
| system | {kernel}, {libc} |
| Python | {python}, {openssl} |
| packages | {versions} |
| how | {rounds} rounds, servers loaded for {seconds} s in each; load average before: {load} |

## How to read it

* *CPU time* is how long the server, or the program, kept a CPU busy for one operation: of all
  its threads, in the kernel and out of it. That is what is compared, unless a line says that the
  time that passes is: other programs on the machine disturb it least, and on a server that is
  busy the two are the same. A rate is what one got done in a second, when the load generator had
  a CPU of its own; a "!" beside it says that the load generator was the limit.
* *Ours to it* is how many times as good tornado4 is: the median of the ratios of each round,
  and their quartiles in parentheses. Where the quartiles are on both sides of 1 it is too close
  to call, and where they are far apart it is too noisy to say: then no ratio is given.
* Latencies go from sending a request to having its answer. As many requests are under way as
  there are connections, all the time, so most of a latency is waiting in line: it says how
  evenly a busy server serves its connections, not how fast an idle one answers.
* Peers take turns, in an order that changes; each server is a process of its own on one CPU, the
  load is on another; a server is warm before anything counts, and a new one takes its place after
  some rounds. More on what is done to be fair, and what the figures don't say, is in
  [benches/README.md](https://github.com/tornado4/tornado4/blob/main/benches/README.md).
* "C" is a server in C that does nothing but epoll, one `read` and one `write`: the limit."""

# Said of results that a busy machine, or too few rounds, have made.
PROVISIONAL = """
**These figures are provisional**: {why}.
CPU times and ratios, with their spread, still tell something; rates and latencies tell little,
and who is missing at the end of the page may only have had no time.
"""

TAIL = """\
## What these figures don't say

Applications do more than an echo between two calls of the loop; of their time the loop's share
is what a faster loop can save. See "Whole programs" for some. Rows where another one is ahead
are here as well."""

# In the order of the page: the heading, and what to know of it.
GROUPS = {
    "tcp": (
        "TCP",
        "A message goes to the server and back; each connection has one under way. Twisted leaves "
        "Nagle's algorithm on, asyncio and uvloop turn it off.",
    ),
    "tls": (
        "TLS",
        "TLS 1.3 with AES-256-GCM. Twisted's TLS is pyOpenSSL, with the OpenSSL that comes with "
        "`cryptography`; asyncio's, uvloop's and C's is the system's. The fallback is what ours "
        "does where it doesn't know the OpenSSL that it finds.",
    ),
    "http": (
        "HTTP",
        "A page of 13 bytes, on 50 connections that stay. Most of the time is the framework's own "
        "Python code, which is the same for all.",
    ),
    "websocket": ("WebSocket", "A message of 100 bytes goes to the server and back."),
    "udp": ("UDP", "A datagram goes there and back; 50 sockets have one under way each."),
    "unix": ("UNIX sockets", "The TCP echo, at a UNIX socket."),
    "accept": (
        "Accepting",
        "1,000 connections are made while the server is stopped; then it accepts and closes them. "
        "The rate includes the time in which it is stopped.",
    ),
    "idle": (
        "Idle connections",
        "What it costs a busy server that others are open which say nothing: compare with ours "
        "alone.",
    ),
    "applications": (
        "Whole programs",
        "Scrapy takes the title out of each page that it fetches from a server in another process. "
        "Dask has its client, scheduler and worker on one loop.",
    ),
    "calls": ("Calls", "A call is scheduled and made; 1,000 in each turn, or one (“chain”)."),
    "tasks": ("Tasks", "asyncio's own tasks, on each loop."),
    "timers": (
        "Timers",
        "“Cancel”: a call is scheduled, and one of the turn before is cancelled, 1,000 of each in "
        "a turn. “Fire”: a delay of 0. uvloop's `call_later(0)` is `call_soon`, with no timer at "
        "all.",
    ),
    "threads": (
        "Calls from other threads",
        "“There and back”: another thread schedules a call, which wakes the loop, and waits until "
        "it was made. “Other thread”: as fast as it can, so both want the interpreter's lock.",
    ),
    "descriptors": (
        "Descriptors",
        "“Ping-pong”: a turn with one descriptor, one `read`, one `write`. “100 ready”: 100 pipes "
        "that nobody empties. The last: 100 pipes are watched in one turn, and not any more in the "
        "next.",
    ),
    "awaiting": (
        "Awaiting Deferreds",
        "What it costs tasks that they may await Deferreds, beside plain tasks of the same loop; "
        "and `await deferred` beside `await as_future(deferred)`.",
    ),
    "start": ("Start-up", "A whole process: imports, a loop, one call, the end."),
    "memory": (
        "Memory",
        "How much the process grows for each connection, its protocol included; the kernel's "
        "share is the same for all. And how much a program has used when it ends.",
    ),
}

GROWTH = {
    "twisted-connections": ("Twisted, TCP echo: more connections", "connections"),
    "asyncio-connections": ("asyncio, TCP echo: more connections", "connections"),
    "asyncio-size": ("asyncio, TCP echo: longer messages", "bytes in a message"),
    "twisted-idle": ("Twisted, TCP echo: idle connections beside it", "idle connections"),
    "twisted-timers": ("Twisted: timers scheduled and cancelled", "timers"),
    "asyncio-timers": ("asyncio: timers scheduled and cancelled", "timers"),
    "tornado-timers": ("Tornado: timers scheduled and cancelled", "timers"),
}
