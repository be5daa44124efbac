"""A child process by each of the frameworks."""

import asyncio
from asyncio.subprocess import PIPE

import tornado4
import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from tornado.process import Subprocess
from twisted.internet.utils import getProcessOutput


async def main():
    print("Twisted:", (await getProcessOutput("/bin/echo", ["a child"])).decode().strip())
    child = Subprocess(["/bin/echo", "a child"], stdout=Subprocess.STREAM)
    print("Tornado:", (await child.stdout.read_until_close()).decode().strip())
    print("Tornado: it ended with", await child.wait_for_exit())
    process = await asyncio.create_subprocess_exec("/bin/echo", "a child", stdout=PIPE)
    print("asyncio:", (await process.communicate())[0].decode().strip())


tornado4.run(main())
