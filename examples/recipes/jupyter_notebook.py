"""A notebook with Twisted in it, for any kernel.

    pip install tornado4 notebook

Paste each part below into a cell of its own. (Editors that know `# %%` run it as it is.)
"""

# %%
# Once, and before anything else of Twisted. The reactor runs on the kernel's own loop.
import asyncio

from tornado4.platform.twisted import as_future, install

reactor = install()
print(type(reactor), "on", type(asyncio.get_running_loop()))

# %%
# A web server, which goes on serving while you run other cells.
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import Site


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"Hello from " + request.path


endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
port = await as_future(endpoint.listen(Site(Hello())))

# %%
from twisted.web.client import Agent, readBody

url = f"http://127.0.0.1:{port.getHost().port}/a/cell".encode()


async def fetch():
    response = await as_future(Agent(reactor).request(b"GET", url))
    return await as_future(readBody(response))


print(await asyncio.gather(fetch(), fetch()))

# %%
# In a kernel on tornado4's loop a cell may await a Deferred as it is; elsewhere as_future
# is needed, as above.
from twisted.internet.task import deferLater

print(await deferLater(reactor, 0.1, lambda: "a tenth of a second later"))
