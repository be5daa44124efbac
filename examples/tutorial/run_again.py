"""More than one run in a process."""

from tornado4.platform.twisted import install, run_once

reactor = install(restartable=True)

from twisted.internet.task import deferLater

for word in ("first", "second"):
    reactor.callWhenRunning(print, word, "run")
    reactor.callLater(0.01, reactor.stop)
    reactor.run()


def wait(reactor, word):
    return deferLater(reactor, 0.01, lambda: word)


print(run_once(wait, "in a reactor of its own"))
print(run_once(wait, "in another one"))
