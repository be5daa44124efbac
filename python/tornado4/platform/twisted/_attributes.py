"""A transport's `__dict__`: what Twisted keeps there is native, and stands here all the same.

So `vars`, `copy` and `mock.patch.object`, which looks there for what it has to restore,
find and do on a transport what they do on Twisted's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tornado4 import _core

_NATIVE = frozenset(_core.StreamTransport._names)


class Lazy:
    """An attribute that is rarely asked for, and made then: not for each connection.

    (A `__getattr__` would make every look at an attribute slower.) It can be set.
    """

    _DELETED: ClassVar[Any] = object()

    def __init__(self, make: str) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, transport: Any, owner: type | None = None) -> Any:
        if transport is None:
            return self
        attributes = transport._ownDict()
        if self._name not in attributes:
            attributes[self._name] = getattr(transport, self._make)()
        value = attributes[self._name]
        if value is self._DELETED:
            raise AttributeError(self._name)
        return value

    def __set__(self, transport: Any, value: Any) -> None:
        transport._ownDict()[self._name] = value

    def __delete__(self, transport: Any) -> None:
        # It would be made again.
        self.__get__(transport)
        transport._ownDict()[self._name] = self._DELETED


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
        found.update({name: value for name, value in own if value is not Lazy._DELETED})
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
