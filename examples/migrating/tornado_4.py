import tornado4.platform.twisted

tornado4.platform.twisted.install()

from twisted.internet import reactor

from tornado4.ioloop import IOLoop

loop = IOLoop.instance()
reactor.callLater(0.1, print, "Twisted has called")
loop.call_later(0.2, print, "Tornado has called")
loop.call_later(0.3, reactor.stop)
IOLoop.current().start()
