"""A subinterpreter is refused, clearly, and the main one goes on."""

from __future__ import annotations

import pytest

from helpers.programs import output_of

# How a program is run in an interpreter of its own. Which of the modules a Python has
# depends on its version and how it was built.
WAYS = {
    "_testcapi": """
        import _testcapi
        run = _testcapi.run_in_subinterp
    """,
    "_xxsubinterpreters": """
        import _xxsubinterpreters as interpreters
        def run(program):
            interpreter = interpreters.create(isolated=False)
            interpreters.run_string(interpreter, program)
            interpreters.destroy(interpreter)
    """,
    "_interpreters": """
        import _interpreters as interpreters
        def run(program):
            interpreter = interpreters.create("legacy")
            interpreters.run_string(interpreter, program)
            interpreters.destroy(interpreter)
    """,
}
IN_SUBINTERPRETER = """
import tornado4
try:
    tornado4.new_event_loop()
except ImportError as error:
    print(error, flush=True)
else:
    print("made", flush=True)
"""
REFUSED = "tornado4 works in the main interpreter only, not in a subinterpreter\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [True, False], ids=["in use", "not in use yet"])
def test_a_subinterpreter_is_refused(way, before):
    pytest.importorskip(way, reason="this Python has another way to run one")
    use = """
        import asyncio, tornado4
        async def main():
            await asyncio.sleep(0.001)
            return 5
        print(tornado4.run(main()), flush=True)
    """
    refuse = f"run({IN_SUBINTERPRETER!r})"
    program = WAYS[way] + (use if before else "") + f"\n        {refuse}\n" * 2 + use
    assert output_of(program) == ("5\n" if before else "") + REFUSED * 2 + "5\n"
