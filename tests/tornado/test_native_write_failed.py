"""What `write` has kept before it failed goes out before what is written next."""

import asyncio
import socket
import threading

import pytest
from tornado import iostream as stock

import tornado4.iostream as native
from helpers.loops import tornado4_asyncio


async def written_without_a_loop(module):
    one, other = (module.IOStream(sock) for sock in socket.socketpair())
    await one.write(b"0")
    raised = []

    def write():
        with pytest.raises(RuntimeError, match="no current event loop") as caught:
            one.write(b"first")
        raised.append(type(caught.value))

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert raised == [RuntimeError]
    writing = one.writing()
    await one.write(b"second")
    one.close()
    data = await other.read_until_close()
    other.close()
    return writing, data


def test_bytes_of_a_write_that_has_failed_keep_their_place():
    for module in (stock, native):
        loop = tornado4_asyncio()
        found = loop.run_until_complete(asyncio.wait_for(written_without_a_loop(module), 20))
        loop.close()
        assert found == (True, b"0firstsecond")
