"""A native stream's attributes, changed between two of its methods in every way that there is:
what it knows of them from the method before doesn't hold then."""

import asyncio
import copy
import socket

import pytest
from tornado import iostream as stock

import tornado4.iostream as native
from helpers.loops import tornado4_asyncio


class Changing:
    """Changes the stream when it is freed."""

    def __init__(self, stream, name, value):
        self.change = stream, name, value

    def __call__(self):
        pass

    def __del__(self):
        setattr(*self.change)


def replace_dict(stream, name, value):
    stream.__dict__ = {**vars(stream), name: value}


def delete_first(stream, name, value):
    delattr(stream, name)
    vars(stream).setdefault(name, value)


def by_what_is_freed(stream, name, value):
    stream.set_close_callback(Changing(stream, name, value))
    stream.set_close_callback(None)


WAYS = {
    "setattr": setattr,
    "object": object.__setattr__,
    "vars": lambda stream, name, value: vars(stream).__setitem__(name, value),
    "update": lambda stream, name, value: vars(stream).update({name: value}),
    "another dict": replace_dict,
    "deleted first": delete_first,
    "what is freed": by_what_is_freed,
}


async def done(stream, what):
    """What comes of a method."""
    try:
        return await asyncio.wait_for(getattr(stream, what[0])(*what[1:]), 10)
    except Exception as error:
        return type(error).__name__


CHANGES = {
    "full": ("max_write_buffer_size", 0, ("write", b"more")),
    "small pieces": ("read_chunk_size", 2, ("read_bytes", 9, True)),
    "closed": ("_closed", True, ("read_bytes", 3)),
    "a little buffer": ("max_buffer_size", 2, ("read_until", b"6")),
    "in use": ("_read_future", asyncio, ("read_bytes", 1)),
    "something in the buffer": ("_read_buffer", bytearray(b"12345"), ("read_bytes", 5)),
    "connecting": ("_connecting", True, ("write", b"more")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_whoever_makes_it(change, way):
    name, value, what = CHANGES[change]

    async def scenario(module):
        ends = [module.IOStream(sock) for sock in socket.socketpair()]
        trace = []
        for _ in range(3):
            await ends[1].write(b"ping")
            trace.append(await done(ends[0], ("read_bytes", 4)))
            trace.append(await done(ends[0], ("write", b"pong")))
        await ends[1].write(b"0123456789")
        before = getattr(ends[0], name)
        WAYS[way](ends[0], name, copy.copy(value) if name == "_read_buffer" else value)
        if name == "_read_buffer":
            ends[0]._read_buffer_size = 5
        if what == ("write", b"more") and name == "_connecting":
            # It waits for that.
            waits = ends[0].write(b"more")
            trace.append(waits.done())
        else:
            trace.append(await done(ends[0], what))
        if name in ("_closed", "_read_future", "_connecting"):
            WAYS[way](ends[0], name, before)
            trace.append(await done(ends[0], ("read_bytes", 3)))
        trace.append((ends[0].closed(), ends[0].reading(), bytes(ends[0]._read_buffer)))
        for end in ends:
            end.close()
        return trace

    found = []
    for module in (stock, native):
        loop = tornado4_asyncio()
        found.append(loop.run_until_complete(asyncio.wait_for(scenario(module), 20)))
        loop.close()
    assert found[1] == found[0]


def test_a_copy_has_attributes_of_its_own():
    async def main():
        one, other = (native.IOStream(sock) for sock in socket.socketpair())
        await other.write(b"data")
        assert await one.read_bytes(2) == b"da"
        twin = copy.copy(one)
        twin.max_write_buffer_size = 0
        with pytest.raises(stock.StreamBufferFullError):
            twin.write(b"x")
        await one.write(b"x")
        one.max_write_buffer_size = 0
        twin.max_write_buffer_size = None
        await twin.write(b"y")
        with pytest.raises(stock.StreamBufferFullError):
            one.write(b"z")
        assert await other.read_bytes(2) == b"xy"
        one.close()
        other.close()

    loop = tornado4_asyncio()
    loop.run_until_complete(asyncio.wait_for(main(), 20))
    loop.close()
