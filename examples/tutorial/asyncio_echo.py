"""A protocol that echoes, and a hundred clients at once."""

import asyncio

import tornado4


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"%d\n" % number)
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(answer)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers = await asyncio.gather(*(ask(port, number) for number in range(100)))
    print("echoed:", answers == list(range(100)))
    server.close()
    print("on:", type(loop).__module__)


tornado4.run(main())
