"""A transport's `__dict__`: what Twisted keeps there is native, and stands here all the same.

So `vars`, `copy` and `mock.patch.object`, which looks there for what it has to restore,
find and do on a transport what they do on Twisted's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado4 import _core

_NATIVE = frozenset(_core.StreamTransport._names)


class Attributes(dict[str, Any]):
    """What has been set on a transport, as it is whenever somebody looks.

    What is changed here changes on the transport.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._look()

    def _look(self) -> None:
        transport = self._transport
        found = transport._attributes()
        for name in transport._lazy:
            # It is made, and stands among the others then.
            getattr(transport, name, None)
        if "dataBuffer" in found:
            found["offset"] = 0
        own = transport._ownDict().items()
        # What was deleted has its descriptor there.
        found.update({name: value for name, value in own if type(value) is not _core.Lazy})
        dict.clear(self)
        dict.update(self, found)

    def _change(self, before: dict[str, Any]) -> None:
        transport = self._transport
        native = _NATIVE.union(transport._lazy)
        for name in before.keys() - dict.keys(self):
            if name in native:
                delattr(transport, name)
            else:
                transport._ownDict().pop(name, None)
        missing = object()
        for name, value in dict.items(self):
            if before.get(name, missing) is value:
                continue
            if name in native:
                setattr(transport, name, value)
            else:
                transport._ownDict()[name] = value


def _looking(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def look(self: Attributes, *args: Any) -> Any:
        self._look()
        return method(self, *args)

    return look


def _changing(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def change(self: Attributes, *args: Any, **kwargs: Any) -> Any:
        self._look()
        before: dict[str, Any] = {}
        dict.update(before, self)
        try:
            return method(self, *args, **kwargs)
        finally:
            self._change(before)

    return change


for _name in (
    *("__contains__", "__eq__", "__getitem__", "__iter__", "__len__", "__ne__", "__or__"),
    *("__repr__", "__reversed__", "__ror__", "copy", "get", "items", "keys", "values"),
):
    setattr(Attributes, _name, _looking(_name))
for _name in (
    *("__delitem__", "__ior__", "__setitem__"),
    *("clear", "pop", "popitem", "setdefault", "update"),
):
    setattr(Attributes, _name, _changing(_name))
