"""Tornado's modules under our name. What is imported, and when, is a matter of the
whole process, so each test runs one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import tornado4
from helpers.aliases import added, run

__all__ = ["added"]


# What is imported


@pytest.mark.parametrize("first", ["tornado", "tornado4"])
def test_every_module_is_tornados_own(first: str) -> None:
    out = run(f"""
        import importlib, pkgutil, sys, warnings
        from importlib.machinery import PathFinder
        warnings.simplefilter("ignore")  # of Tornado's tests
        import tornado, tornado4

        def walk(package, path):
            for found in pkgutil.iter_modules([path], package + "."):
                if not found.name.endswith("__main__"):
                    yield found.name
                if found.ispkg:
                    yield from walk(found.name, path + "/" + found.name.rpartition(".")[2])

        def imported(name):
            try:
                return importlib.import_module(name)
            except ImportError as error:
                return str(error)

        from tornado4._alias import MODULES
        ours = set(walk("tornado4", *tornado4.__path__))
        ours -= {{"tornado4." + name for name in MODULES}}
        for real in walk("tornado", *tornado.__path__):
            alias = "tornado4" + real.removeprefix("tornado")
            if alias in ours:
                continue
            names = [real, alias] if {first!r} == "tornado" else [alias, real]
            module, other = map(imported, names)
            if isinstance(module, str):
                assert module == other and "No module named 'py" in module, (alias, module)
                assert real not in sys.modules and alias not in sys.modules
                continue
            assert module is other is sys.modules[real] is sys.modules[alias], alias
            package = sys.modules[real.rpartition(".")[0]]
            fresh = PathFinder.find_spec(real, package.__path__)
            assert module.__name__ == real and module.__spec__ == fresh, alias
            assert not getattr(module.__spec__, "_initializing", False), alias
            assert module.__loader__ is module.__spec__.loader, alias
            assert module.__package__ == module.__spec__.parent, alias
            assert getattr(package, real.rpartition(".")[2]) is module, alias
            parent = sys.modules[alias.rpartition(".")[0]]
            assert getattr(parent, real.rpartition(".")[2]) is module, alias
            print(alias)
    """)
    for name in ("web", "speedups", "locale", "_locale_data", "test", "test.web_test"):
        assert f"tornado4.{name}" in out.splitlines()
    assert not {"tornado4.ioloop", "tornado4.platform.asyncio"} & set(out.splitlines())


@pytest.mark.parametrize(
    "code",
    [
        "import tornado4.web; web = tornado4.web",
        "import tornado4.web as web",
        "from tornado4 import web",
        "import tornado4; web = tornado4.web",
        "import tornado4; web = getattr(tornado4, 'web', None)",
        "web = __import__('tornado4.web', fromlist=['web'])",
        "import importlib; web = importlib.import_module('.web', 'tornado4')",
        "import pkgutil; web = pkgutil.resolve_name('tornado4.web')",
        "from tornado4.web import Application; import tornado4; web = tornado4.web",
        "import tornado.web, tornado4; web = tornado4.web",
    ],
)
def test_every_way_to_import(code: str) -> None:
    out = run(f"{code}\nimport tornado.web, sys\nprint(web is tornado.web)")
    assert out == "True\n"


def test_our_own_modules_come_first() -> None:
    out = run("""
        import tornado4
        print(tornado4.ioloop.__name__, tornado4.platform.asyncio.__name__)
        import tornado4.platform.twisted, tornado4._core, tornado.ioloop
        print(tornado4.platform.twisted.__name__, tornado4.ioloop is tornado.ioloop)
        import importlib
        print(importlib.reload(tornado4.platform) is tornado4.platform)
    """)
    assert out.splitlines() == [
        "tornado4.ioloop tornado4.platform.asyncio",
        "tornado4.platform.twisted False",
        "True",
    ]


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    out = run("""
        import importlib.util, sys, tornado4
        def loaded():
            return [name for name in sys.modules if name.partition(".")[0] == "tornado"]
        hasattr(tornado4, "__wrapped__"), hasattr(tornado4, "_ipython_display_")
        dir(tornado4)
        print(loaded())
        spec = importlib.util.find_spec("tornado4.web")
        print(spec.name, spec.origin.endswith("web.py"), loaded())
        print(importlib.util.find_spec("tornado4.nowhere"), loaded())
        tornado4.escape
        print("tornado.escape" in loaded(), "tornado.web" in loaded())
    """)
    assert out.splitlines() == ["[]", "tornado4.web True []", "None []", "True False"]


# What isn't there


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tornado4.nowhere", ""),
        ("tornado4._nowhere", ""),
        ("tornado4.platform.nowhere", ""),
        ("tornado4.test.nowhere", ""),
        ("tornado4.web.nowhere", "; 'tornado4.web' is not a package"),
    ],
)
def test_a_module_that_is_not_there(name: str, more: str) -> None:
    out = run(f"""
        try:
            import {name}
        except ModuleNotFoundError as error:
            print(error.name, error, sep=": ")
    """)
    assert out.strip() == f"{name}: No module named '{name}'{more}"


def test_an_attribute_that_is_not_there() -> None:
    out = run("""
        import tornado4
        print(hasattr(tornado4, "nowhere"))
        for name in ["nowhere", "_core", "__nowhere__"]:
            try:
                getattr(tornado4, name)
            except AttributeError as error:
                print(error)
        try:
            from tornado4 import nowhere
        except ImportError as error:
            print(str(error).partition(" (")[0])
    """)
    text = "module 'tornado4' has no attribute"
    assert out.splitlines() == [
        "False",
        *(f"{text} '{name}'" for name in ("nowhere", "_core", "__nowhere__")),
        "cannot import name 'nowhere' from 'tornado4'",
    ]


def test_without_tornado(tmp_path: Path) -> None:
    (tmp_path / "tornado4").symlink_to(Path(tornado4.__file__).parent)
    (tmp_path / "program.py").write_text(
        "import tornado4\nprint(hasattr(tornado4, 'web'))\nimport tornado4.web\n"
    )
    # -S: without the installed packages.
    program = str(tmp_path / "program.py")
    said = run("", "-S", program, path=tmp_path, fails=True)
    assert said.strip().endswith("ModuleNotFoundError: No module named 'tornado4.web'")


def test_an_import_that_fails_leaves_nothing_behind(added: str) -> None:
    out = run(f"""
        {added}
        import tornado4
        for _ in range(2):
            for code in ["import tornado4.failing", "tornado4.failing", "tornado4.needy"]:
                try:
                    exec(code)
                except (RuntimeError, ModuleNotFoundError) as error:
                    print(type(error).__name__, error)
        print([name for name in sys.modules if name.endswith(("failing", "needy"))])
    """)
    failed = ["RuntimeError mine"] * 2
    needy = "ModuleNotFoundError No module named 'nowhere_to_be_found'"
    assert out.splitlines() == [*failed, needy, *failed, needy, "[]"]


def test_the_files_for_type_checkers_are_not_run() -> None:
    out = run("""
        import runpy, sys, tornado4.web, tornado4
        from pathlib import Path
        file = Path(tornado4.__file__).with_name("web.py")
        print(tornado4.web.__file__ != str(file))
        try:
            runpy.run_path(str(file), run_name="tornado4.web")
        except ModuleNotFoundError as error:
            print(error.name, error)
    """)
    assert out.splitlines() == ["True", "tornado4.web No module named 'tornado4.web'"]


def test_listing_the_names() -> None:
    out = run("""
        import inspect, pydoc, sys, tornado4
        print([name for name in dir(tornado4) if name[0] == "_"])
        print({"run", "web", "ioloop", "platform", "version"} <= set(dir(tornado4)))
        # What lists the names looks them up.
        members = dict(inspect.getmembers(tornado4))
        print(members["web"].__name__, members["run"] is tornado4.run)
        print("new_event_loop" in pydoc.render_doc(tornado4))
    """)
    assert out.splitlines() == ["['__version__']", "True", "tornado.web True", "True"]


# Threads


def test_threads_that_import_one_module_by_both_names(added: str) -> None:
    out = run(f"""
        {added}
        import importlib, threading, tornado4
        sys.setswitchinterval(1e-6)
        def work(number):
            together.wait()
            if number % 4 == 0:
                from tornado4.slow import runs
            elif number % 4 == 1:
                from tornado.slow import runs
            elif number % 4 == 2:
                runs = importlib.import_module("tornado4.slow").runs
            else:
                runs = tornado4.slow.runs
            seen.append((id(runs), *runs))
        seen, together = [], threading.Barrier(16)
        threads = [threading.Thread(target=work, args=[number]) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(seen), len(set(seen)), seen[0][1:])
        print(sys.modules["tornado4.slow"] is sys.modules["tornado.slow"])
    """)
    assert out.splitlines() == ["16 1 ('tornado.slow',)", "True"]


def test_a_thread_that_imports_tornado_itself_meanwhile(tmp_path: Path) -> None:
    # Looking for a module must not wait for its package: the import system's own
    # lock is held then, and the package under way may need that lock.
    package = tmp_path / "tornado"
    package.mkdir()
    (package / "web.py").write_text("")
    (package / "__init__.py").write_text(
        "import started\nstarted.event.set()\nimport time\ntime.sleep(0.3)\nimport colorsys\n"
    )
    (tmp_path / "started.py").write_text("import threading\nevent = threading.Event()\n")
    out = run(
        """
        import importlib, sys, threading, started, tornado4
        thread = threading.Thread(target=importlib.import_module, args=["tornado"], daemon=True)
        thread.start()
        started.event.wait()
        import tornado4.web
        thread.join()
        print("colorsys" in sys.modules, tornado4.web.__name__)
        """,
        path=tmp_path,
    )
    assert out.strip() == "True tornado.web"


# The finder itself


def test_one_finder_that_can_be_removed() -> None:
    out = run("""
        import sys
        def finders():
            return sum(type(finder).__module__ == "tornado4._alias" for finder in sys.meta_path)
        import tornado4, tornado4.web
        from tornado4 import _alias
        _alias.install()
        print(finders())
        for name in [name for name in sys.modules if name.startswith("tornado4")]:
            del sys.modules[name]
        import tornado4.web, tornado4.test.util
        import tornado.web
        print(finders(), tornado4.web is tornado.web)
        from tornado4 import _alias
        _alias.uninstall()
        _alias.uninstall()
        print(finders(), sorted(name for name in sys.modules if name.startswith("tornado4")))
        for name in ["tornado4.web", "tornado4.test.util", "tornado4.demo"]:
            try:
                __import__(name)
                print(name)
            except ModuleNotFoundError as error:
                print("without", error.name)
        _alias.install()
        import tornado4.web
        print(finders(), tornado4.web is tornado.web)
    """)
    assert out.splitlines() == [
        "1",
        "1 True",
        "0 ['tornado4', 'tornado4._alias']",
        "without tornado4.web",
        "without tornado4.test",
        "tornado4.demo",
        "1 True",
    ]
