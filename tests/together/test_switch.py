"""`tornado4.install`: what makes a loop afterwards makes one of ours; and its undoing.

Each test runs a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.programs import output_of

OURS, STOCK, UVLOOP = "tornado4.platform.asyncio", "asyncio.unix_events", "uvloop"

PRELUDE = """
import sys, threading, warnings
warnings.simplefilter("error")
import tornado4

def kind(loop):
    print(type(loop).__module__)

async def main():
    import asyncio
    kind(asyncio.get_running_loop())

def uvloop_policy():
    import uvloop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return uvloop.EventLoopPolicy()

def set_policy(policy):
    import asyncio
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.set_event_loop_policy(policy)

def policy():
    import asyncio
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return asyncio.get_event_loop_policy()
"""


def run(code: str) -> list[str]:
    return output_of(PRELUDE + textwrap.dedent(code)).splitlines()


# Each makes a loop in another way, without naming one of ours, and says which.
WAYS = {
    "run": "asyncio.run(main())",
    "new_event_loop": "l = asyncio.new_event_loop(); kind(l); l.close()",
    "events.new_event_loop": "l = asyncio.events.new_event_loop(); kind(l); l.close()",
    "the policy": "l = policy().new_event_loop(); kind(l); l.close()",
    "a new default policy": "set_policy(None)\nasyncio.run(main())",
    "Tornado's policy": """
from tornado.platform.asyncio import AnyThreadEventLoopPolicy
set_policy(AnyThreadEventLoopPolicy())
asyncio.run(main())
""",
    "a class": "l = asyncio.SelectorEventLoop(); kind(l); l.close()",
    "a thread": "t = threading.Thread(target=lambda: asyncio.run(main())); t.start(); t.join()",
    "unittest": """
import io, unittest
class Test(unittest.IsolatedAsyncioTestCase):
    async def test(self):
        await main()
unittest.TextTestRunner(io.StringIO()).run(Test("test"))
""",
    "Tornado": """
from tornado.ioloop import IOLoop
IOLoop.current().run_sync(main)
IOLoop.current().close()
""",
    "a Tornado loop": """
from tornado.ioloop import IOLoop
loop = IOLoop()
loop.run_sync(main)
loop.close()
""",
}
if sys.version_info >= (3, 11):
    WAYS["Runner"] = "with asyncio.Runner() as runner: runner.run(main())"
if sys.version_info >= (3, 13):
    WAYS["EventLoop"] = "l = asyncio.EventLoop(); kind(l); l.close()"
for name in ("Tornado's policy", "unittest"):
    # Both come with warnings of their own on some versions.
    WAYS[name] = "warnings.simplefilter('ignore')\n" + WAYS[name]


def all_ways(before: str) -> dict[str, str]:
    """Take all the ways in one process; return what each of them has made."""
    out = run(before + "\nimport asyncio\n" + "\n".join(WAYS.values()))
    return dict(zip(WAYS, out, strict=True))


@pytest.mark.parametrize(
    "before",
    [
        "tornado4.install()",
        "import asyncio\ntornado4.install()",
        "import tornado.ioloop, twisted.internet.defer\ntornado4.install()",
        "import asyncio\ntornado4.install()\ntornado4.uninstall()\ntornado4.install()",
    ],
)
def test_every_way_to_make_a_loop_makes_ours(before: str) -> None:
    assert all_ways(before) == dict.fromkeys(WAYS, OURS)


@pytest.mark.parametrize(
    "before",
    [
        "tornado4.install()\ntornado4.uninstall()",
        "import asyncio\ntornado4.install()\ntornado4.uninstall()",
        "tornado4.install()\nimport tornado.web, twisted.internet.default\ntornado4.uninstall()",
        "tornado4.install()\nimport tornado4._io_loop\ntornado4.uninstall()",
        "import tornado4._io_loop\ntornado4.install()\ntornado4.uninstall()",
    ],
)
def test_and_none_does_when_it_is_undone(before: str) -> None:
    assert all_ways(before) == dict.fromkeys(WAYS, STOCK)


def test_or_when_it_is_undone_after_loops_have_run() -> None:
    ways = "\n".join(WAYS.values())
    out = run(f"tornado4.install()\nimport asyncio\n{ways}\ntornado4.uninstall()\n{ways}")
    assert out == [OURS] * len(WAYS) + [STOCK] * len(WAYS)


def test_a_loop_that_is_asked_for_explicitly_is_what_it_says() -> None:
    out = run(
        """
        tornado4.install()
        import asyncio, selectors
        class Own(asyncio.SelectorEventLoop):
            def __init__(self, tag):
                super().__init__()
                self.tag = tag
        loops = [
            asyncio.SelectorEventLoop(selectors.DefaultSelector()),
            Own("tag"),
        ]
        tornado4.uninstall()
        loops += [
            asyncio.SelectorEventLoop(selectors.DefaultSelector()),
            asyncio.SelectorEventLoop(),
            Own("tag"),
        ]
        for loop in loops:
            loop.run_until_complete(main())
            loop.close()
        """
    )
    assert out == [STOCK, "__main__", STOCK, STOCK, "__main__"]


def test_a_class_of_loops_with_another_base_is_made_as_ever() -> None:
    code = """
        import asyncio
        class Mixin:
            def __new__(cls, *args, **kwargs):
                print(args, kwargs)
                return super().__new__(cls)
        class OfPython(asyncio.SelectorEventLoop, Mixin):
            def __init__(self, *args, **kwargs):
                super().__init__()
        class Native(asyncio.SelectorEventLoop, dict):
            pass
        for loop in (OfPython(1, two=2), OfPython(), Native()):
            kind(loop)
            loop.close()
        """
    stock = run(code)
    assert len(stock) == 5
    install = "import asyncio\ntornado4.install()\n"
    assert run(install + textwrap.dedent(code)) == stock
    assert run(f"{install}tornado4.uninstall()\n{textwrap.dedent(code)}") == stock


def test_a_policy_that_was_there_gives_way_and_comes_back() -> None:
    pytest.importorskip("uvloop", reason="uvloop isn't there to be installed")
    out = run(
        """
        import asyncio
        theirs = uvloop_policy()
        set_policy(theirs)
        asyncio.run(main())
        tornado4.install()
        asyncio.run(main())
        tornado4.uninstall()
        print(policy() is theirs)
        asyncio.run(main())
        """
    )
    assert out == [UVLOOP, OURS, "True", UVLOOP]


def test_a_policy_that_is_set_later_is_the_programs_wish() -> None:
    pytest.importorskip("uvloop", reason="uvloop isn't there to be installed")
    out = run(
        """
        import asyncio
        tornado4.install()
        asyncio.run(main())
        theirs = uvloop_policy()
        set_policy(theirs)
        asyncio.run(main())
        tornado4.uninstall()
        print(policy() is theirs)
        """
    )
    assert out == [OURS, UVLOOP, "True"]


def test_the_loop_that_was_set_by_another_policy_stays_set() -> None:
    pytest.importorskip("uvloop", reason="uvloop isn't there to be installed")
    out = run(
        """
        import asyncio
        set_policy(uvloop_policy())
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        tornado4.install()
        print(asyncio.get_event_loop() is loop)
        new = asyncio.new_event_loop()
        asyncio.set_event_loop(new)
        tornado4.uninstall()
        print(asyncio.get_event_loop() is new)
        kind(new)
        new.close()
        loop.close()
        """
    )
    assert out == ["True", "True", OURS]


PARTS = ("asyncio", "tornado", "twisted")
MADE = """
import asyncio
l = asyncio.new_event_loop(); kind(l); l.close()
from tornado.ioloop import IOLoop
i = IOLoop(make_current=False); kind(i); i.close()
from twisted.internet import reactor
kind(reactor)
"""
STOCKS = {
    "asyncio": STOCK,
    "tornado": "tornado.platform.asyncio",
    "twisted": "twisted.internet.epollreactor",
}
OUR = {"asyncio": OURS, "tornado": "tornado4.ioloop", "twisted": "tornado4.platform.twisted"}


def expected(*parts: str) -> list[str]:
    return [OUR[part] if part in parts else STOCKS[part] for part in PARTS]


@pytest.mark.parametrize("without", PARTS)
def test_a_part_can_be_left_out(without: str) -> None:
    rest = [part for part in PARTS if part != without]
    if without == "asyncio":
        # Tornado's own class runs on whatever loop asyncio makes.
        assert run(f"tornado4.install(asyncio=False)\n{MADE}") == expected(*rest)
    else:
        assert run(f"tornado4.install({without}=False)\n{MADE}") == expected(*rest)


STREAM = """
import socket
def stream():
    from tornado.iostream import IOStream
    import tornado4.iostream
    made = IOStream(socket.socket())
    print(tornado4.iostream.is_native(made))
    made.close()
async def streams():
    stream()
IOLoop.current().run_sync(streams)
IOLoop.current().close()
"""


@pytest.mark.parametrize(
    ("code", "native"),
    [
        ("tornado4.install()\nfrom tornado.ioloop import IOLoop\nimport tornado.web", True),
        ("from tornado.ioloop import IOLoop\nimport tornado.web\ntornado4.install()", True),
        ("tornado4.install()\nfrom tornado4.ioloop import IOLoop\nimport tornado4.web", True),
        ("tornado4.install(streams=False)\nfrom tornado.ioloop import IOLoop", False),
        ("tornado4.install()\nfrom tornado.ioloop import IOLoop\nimport tornado.web\n"
         "tornado4.uninstall()\nimport tornado4.ioloop", False),
    ],
)  # fmt: skip
def test_streams_are_native(code: str, native: bool) -> None:
    quiet = "warnings.simplefilter('ignore')\n"
    assert run(f"{quiet}{code}\n{STREAM}") == [str(native)]


def test_calls_add_what_was_left_out_and_one_call_undoes_all() -> None:
    out = run(
        f"""
        tornado4.install(asyncio=False, tornado=False, twisted=False, streams=False)
        tornado4.install(twisted=False)
        tornado4.install(asyncio=False)
        tornado4.install()
        def made():
            {textwrap.indent(MADE, " " * 12).strip()}
            sys.modules.pop("twisted.internet.reactor")
            del sys.modules["twisted.internet"].reactor
        made()
        tornado4.uninstall()
        tornado4.uninstall()
        made()
        tornado4.install()
        made()
        """
    )
    assert out == expected(*PARTS) + expected() + expected(*PARTS)


def test_another_thread_may_do_it_while_loops_run() -> None:
    out = run(
        """
        import asyncio
        async def outer():
            kind(asyncio.get_running_loop())
            await asyncio.to_thread(tornado4.install)
            await asyncio.to_thread(lambda: asyncio.run(main()))
            kind(asyncio.get_running_loop())
            await asyncio.to_thread(tornado4.uninstall)
            await asyncio.to_thread(lambda: asyncio.run(main()))
        asyncio.run(outer())
        """
    )
    assert out == [STOCK, OURS, STOCK, STOCK]


def test_a_forked_child_has_it() -> None:
    out = run(
        """
        import os
        tornado4.install()
        child = os.fork()
        if not child:
            import asyncio
            asyncio.run(main())
            sys.exit()
        os.waitpid(child, 0)
        """
    )
    assert out == [OURS]


IMPORTS = [
    "tornado.gen",
    "tornado.platform.asyncio",
    "tornado.autoreload",
    "tornado4.web",
    "tornado4.ioloop",
    "tornado4.platform.twisted",
    "twisted.internet.asyncioreactor",
    "twisted.web.server",
]


@pytest.mark.parametrize("module", IMPORTS)
def test_whatever_is_imported_first(module: str) -> None:
    # Older Twisted imports a module that Python has done away with since.
    quiet = "warnings.simplefilter('default'); warnings.filterwarnings('ignore', \"'cgi' is\")"
    code = f"{quiet}\ntornado4.install()\nimport {module}\n{MADE}"
    assert run(code) == expected(*PARTS)


def test_modules_are_what_they_are_without_it() -> None:
    code = """
        import tornado.ioloop, twisted.internet.default, asyncio, tornado4._io_loop, inspect
        for m in (tornado.ioloop, twisted.internet.default, asyncio.unix_events):
            assert m.__spec__.loader is m.__loader__
            print(m.__name__, m.__spec__.origin == m.__file__, sorted(vars(m.__loader__)))
            print(len(inspect.getsource(m)), m.__cached__ == m.__spec__.cached)
        """
    assert run(f"tornado4.install()\n{textwrap.dedent(code)}") == run(code)


def test_it_imports_nothing() -> None:
    out = run(
        """
        tornado4.install()
        print(sorted({"asyncio", "tornado", "twisted", "logging", "ssl"} & set(sys.modules)))
        tornado4.uninstall()
        print([f for f in sys.meta_path if type(f).__module__ == "tornado4._imports"])
        """
    )
    assert out == ["[]", "[]"]


def test_threads_may_import_at_the_same_time() -> None:
    names = ["tornado.web", "tornado.iostream", "tornado.gen", "tornado.platform.asyncio"]
    names += ["tornado4._io_loop", "tornado.websocket", "asyncio", "twisted.internet.default"]
    out = run(
        f"""
        import importlib
        tornado4.install()
        names = {names}
        ready = threading.Barrier(len(names))
        def load(name):
            ready.wait()
            importlib.import_module(name)
        threads = [threading.Thread(target=load, args=(name,)) for name in names]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        {textwrap.indent(MADE, " " * 8).strip()}
        """
    )
    assert out == expected(*PARTS)


def test_a_module_that_another_thread_is_importing(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import go\ngo.begun.set()\ngo.on.wait(30)\ndone = True\n")
    (tmp_path / "go.py").write_text("import threading\nbegun = threading.Event()\n"
                                    "on = threading.Event()\n")  # fmt: skip
    out = run(
        f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import go, importlib
        from tornado4 import _imports
        thread = threading.Thread(target=importlib.import_module, args=("slow",))
        thread.start()
        go.begun.wait(30)
        threading.Timer(0.1, go.on.set).start()
        _imports.when_imported("slow", lambda module: print(module.done))
        thread.join()
        """
    )
    assert out == ["True"]


def log_of(code: str) -> str:
    # Stock asyncio and Tornado have warnings of their own.
    quiet = "import logging\nlogging.basicConfig(level='INFO')\nwarnings.simplefilter('ignore')\n"
    prelude = PRELUDE + quiet
    command = [sys.executable, "-c", prelude + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


STAYS = "was made before tornado4.install() and stays"


def test_a_stock_ioloop_that_is_current_stays_and_has_the_reactor_as_its_guest() -> None:
    errors = log_of(
        """
        from tornado.ioloop import IOLoop
        stock = IOLoop.current()
        tornado4.install()
        from twisted.internet import reactor
        assert IOLoop.current() is stock is reactor._io_loop
        import tornado4.ioloop
        assert tornado4.ioloop.IOLoop.current() is stock
        reactor.callLater(0.01, reactor.stop)
        reactor.callWhenRunning(lambda: kind(stock.asyncio_loop))
        reactor.run()
        """
    )
    assert errors.count(STAYS) == 1
    assert errors.count("INFO:tornado4:") == 2
    assert "drives Twisted's reactor" in errors


def test_a_stock_reactor_that_is_installed_stays() -> None:
    errors = log_of(
        """
        from twisted.internet import reactor as there
        tornado4.install()
        from twisted.internet import reactor
        assert reactor is there
        """
    )
    assert "was installed before tornado4.install() and stays" in errors


@pytest.mark.parametrize(
    "code",
    [
        "tornado4.install()",
        "import asyncio, tornado.web, twisted.internet.defer; tornado4.install()",
        "tornado4.install(); import tornado.ioloop as i; i.IOLoop.current(); tornado4.install()",
        "import tornado4.platform.twisted as t; t.install(); tornado4.install()",
        "import asyncio; asyncio.run(main()); tornado4.install()",
    ],
)
def test_nothing_is_said_without_need(code: str) -> None:
    assert "tornado4" not in log_of(code)
