"""Who is compared: what each peer is called, and what it needs."""

from __future__ import annotations

from importlib.util import find_spec

from .rows import ALONE, FALLBACK, OURS, Missing

REACTOR = "-reactor"
ASYNCIO_REACTOR = "asyncio" + REACTOR
UVLOOP_REACTOR = "uvloop" + REACTOR

# Those that are a Twisted reactor of their own; what ends in REACTOR is Twisted's
# AsyncioSelectorReactor on the loop of that name.
EPOLL = "epoll"
REACTORS = (OURS, ALONE, FALLBACK, EPOLL)

# What must be installed for a peer.
NEEDS = {"uvloop": ("uvloop",), "aiofastnet": ("aiofastnet", "uvloop"), "rloop": ("rloop",)}

TITLES = {
    "C": "C, epoll and nothing else",
    EPOLL: "EPollReactor",
    ASYNCIO_REACTOR: "AsyncioSelectorReactor",
    UVLOOP_REACTOR: "AsyncioSelectorReactor, uvloop",
}


def title(face: str, peer: str) -> str:
    """Tell what a reader is told it is."""
    if face == "twisted" and peer in ("asyncio", "uvloop"):
        return f"{peer}, no Twisted"
    return TITLES.get(peer, peer)


def is_reactor(peer: str) -> bool:
    """Whether Twisted's protocols run on it."""
    return peer in REACTORS or peer.endswith(REACTOR)


def check_installed(peer: str, needs: tuple[str, ...]) -> None:
    """Raise `Missing` where a package isn't there."""
    name = peer.removesuffix(REACTOR).partition(":")[0]
    needs = (*needs, *NEEDS.get(name, ()))
    if ":" in peer:
        needs = (*needs, name)
    for package in needs:
        if not _found(package):
            raise Missing(f"{package} isn't installed")


def _found(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        # A part of one that isn't there.
        return False
