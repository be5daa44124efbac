"""Tests of asynchronous code: `python -m unittest tests_of_mine.py`, or pytest."""

import asyncio
import unittest

from tornado import gen
from twisted.internet.task import deferLater

import tornado4
from tornado4.platform.twisted import run_once


class Tests(unittest.TestCase):
    def test_twisted_code_with_a_reactor_of_its_own(self):
        async def check(reactor):
            assert await deferLater(reactor, 0.01, lambda: "later") == "later"

        run_once(check)  # and nothing is left of the reactor

    def test_a_coroutine_of_tornados_or_asyncios(self):
        async def check():
            await gen.sleep(0.01)
            await asyncio.sleep(0.01)

        tornado4.run(check())


if __name__ == "__main__":
    unittest.main()
