"""From another thread: three ways to have the loop call something, one for each framework."""

import threading

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.internet.threads import blockingCallFromThread

from tornado4.ioloop import IOLoop

io_loop = IOLoop.current()


def in_another_thread():
    reactor.callFromThread(print, "Twisted's way")
    io_loop.add_callback(print, "Tornado's way")
    io_loop.asyncio_loop.call_soon_threadsafe(print, "asyncio's way")
    # And wait for what comes of it:
    print("got", blockingCallFromThread(reactor, lambda: "a result"))
    reactor.callFromThread(reactor.stop)


reactor.callWhenRunning(threading.Thread(target=in_another_thread).start)
reactor.run()
