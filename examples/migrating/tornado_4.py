import tornado4.platform.twisted

tornado4.platform.twisted.install()

from twisted.internet import reactor

from tornado4.ioloop import IOLoop

loop = IOLoop.instance()
reactor.callLater(0.01, print, "Twisted has called")
loop.call_later(0.02, print, "Tornado has called")
loop.call_later(0.03, reactor.stop)
IOLoop.current().start()
