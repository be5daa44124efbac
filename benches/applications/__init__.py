"""Whole programs: how long they take to start, and what they do then.

`rows` says what is measured; `start`, `scrape` and `trips` are the programs, each of which
tells what it took in a line of JSON; `work` runs them.
"""
