"""The reactor in a thread of its own, beside a main thread that does something else."""

import threading

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread

thread = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False})
thread.start()
print(blockingCallFromThread(reactor, deferLater, reactor, 0.01, lambda: "from the reactor"))
reactor.callFromThread(reactor.stop)
thread.join()
