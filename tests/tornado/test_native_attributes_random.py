"""A stream's attributes are replaced at random, in every way that there is, by values whose end
looks at the stream: it does what Tornado's own does, at that moment too."""

import asyncio
import collections
import random
import socket
import weakref

import pytest
from tornado import iostream as stock

import tornado4.iostream as native
from helpers.loops import tornado4_asyncio
from helpers.seeded import seeds

SEEDS = seeds(12)


# An assignment that stands in a program has the interpreter's own ways, other than `setattr`.


def store_close_callback(stream, value):
    stream._close_callback = value


def store_closed(stream, value):
    stream._closed = value


def store_connecting(stream, value):
    stream._connecting = value


def store_limit(stream, value):
    stream.max_write_buffer_size = value


def store_socket(stream, value):
    stream.socket = value


def store_write_futures(stream, value):
    stream._write_futures = value


STORES = {
    "_close_callback": store_close_callback,
    "_closed": store_closed,
    "_connecting": store_connecting,
    "max_write_buffer_size": store_limit,
    "socket": store_socket,
    "_write_futures": store_write_futures,
}


def replace_dict(stream, name, value):
    stream.__dict__ = {**vars(stream), name: value}


# What is taken away first ends later: nobody looks at a stream that lacks some of its attributes.


def pop_first(stream, name, value):
    kept = vars(stream).pop(name)
    vars(stream).setdefault(name, value)
    del kept


def delete_first(stream, name, value):
    kept = getattr(stream, name)
    delattr(stream, name)
    setattr(stream, name, value)
    del kept


def fill_anew(stream, name, value):
    before = vars(stream).copy()
    vars(stream).clear()
    vars(stream).update({**before, name: value})
    del before


def take_last(stream, name, value):
    last = vars(stream).popitem()
    vars(stream).update([last, (name, value)])


def merge(stream, name, value):
    attributes = vars(stream)
    attributes |= {name: value}


def grow(stream, name, value):
    for number in range(40):
        setattr(stream, f"more{number}", number)
    setattr(stream, name, value)
    for number in range(40):
        delattr(stream, f"more{number}")


WAYS = {
    "setattr": setattr,
    "object": object.__setattr__,
    "vars": lambda stream, name, value: vars(stream).__setitem__(name, value),
    "another dict": replace_dict,
    "popped first": pop_first,
    "deleted first": delete_first,
    "filled anew": fill_anew,
    "last taken": take_last,
    "merged": merge,
    "grown": grow,
}


class Nowhere:
    """A loop in which nothing is ready: the stream's socket is another one any moment."""

    def add_handler(self, *_):
        pass

    update_handler = remove_handler = add_callback = add_handler


class Nosy:
    """Tells when it ends; there is nothing to call."""

    def __init__(self, tell):
        self.tell = tell

    def __call__(self):
        pass

    def __del__(self):
        self.tell()


async def replaced(module, seed):
    choose = random.Random(seed)
    pairs = [socket.socketpair() for _ in range(2)]
    for sock in (sock for pair in pairs for sock in pair):
        sock.setblocking(False)
    stream = module.IOStream(pairs[0][0].dup())
    stream.io_loop = Nowhere()
    for number in range(choose.choice((0, 8))):
        # So that its keys aren't shared with other streams.
        setattr(stream, f"own{number}", number)
    trace, watching, over = [], [], asyncio.Event()

    def look(when):
        for size in 1, 50:
            try:
                outcome = stream.write(bytes(size)).done()
            except Exception as error:
                outcome = type(error).__name__
            state = getattr(stream, "_state", "none")
            sent = []
            for _, end in pairs:
                try:
                    sent.append(len(end.recv(1000)))
                except BlockingIOError:
                    sent.append(None)
            trace.append((when, outcome, state, sent))

    def ends(*_):
        if not over.is_set():
            look("end")

    def nosy():
        value = Nosy(ends)
        # As one of two, it ends while what refers to it does.
        return choose.choice((value, lambda: value))

    def watched(value):
        watching.append(weakref.ref(value, ends))
        return value

    values = {
        "_close_callback": lambda: choose.choice((None, nosy())),
        "_closed": lambda: choose.choice((False, False, False, True)),
        "_connecting": lambda: choose.choice((False, False, False, nosy())),
        "max_write_buffer_size": lambda: choose.choice((None, 10, 1000, 1 << 70)),
        "socket": lambda: watched(choose.choice(pairs)[0].dup()),
        "_write_futures": lambda: watched(collections.deque()),
    }
    for store in STORES.values():
        for _ in range(30):
            # The interpreter learns what is stored where.
            store(stream, vars(stream)[store.__code__.co_names[0]])
    for _ in range(120):
        name = choose.choice(list(values))
        way = choose.choice([*WAYS, *["stored"] * 6])
        store = STORES[name]
        value = values[name]()
        if way == "stored":
            store(stream, value)
        else:
            WAYS[way](stream, name, value)
        del value
        look((way, name))
        if choose.random() < 0.3:
            # What didn't suit is made up for.
            stream._closed = stream._connecting = False
            stream._write_futures.clear()
            stream._write_buffer = type(stream._write_buffer)()
            stream._write_buffer_size = 0
            stream._total_write_index = stream._total_write_done_index = 0
            stream._state = None
    over.set()
    stream._closed = False
    stream.close()
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()
    return trace


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_whatever_is_replaced_it_is_the_same(seed):
    found = []
    for module in (stock, native):
        loop = tornado4_asyncio()
        found.append(loop.run_until_complete(asyncio.wait_for(replaced(module, seed), 20)))
        loop.close()
    assert any(when == "end" for when, *_ in found[0])
    assert found[1] == found[0]


async def written_to_at_its_socket_s_end(module):
    said = []

    def gone(_):
        try:
            said.append(stream.write(b"x").done())
        except Exception as error:
            said.append(type(error).__name__)

    for _ in range(300):
        sock, other = socket.socketpair()
        stream = module.IOStream(sock)
        for number in range(8):
            # So that its keys aren't shared with other streams.
            setattr(stream, f"own{number}", number)
        await stream.write(b"y")
        reference = weakref.ref(sock, gone)
        del sock
        stream.close()
        assert reference() is None
        other.close()
    return said


def test_a_stream_is_written_to_when_it_has_just_dropped_its_socket():
    found = []
    for module in (stock, native):
        loop = tornado4_asyncio()
        scenario = written_to_at_its_socket_s_end(module)
        found.append(loop.run_until_complete(asyncio.wait_for(scenario, 20)))
        loop.close()
    assert found == [["AttributeError"] * 300] * 2
