import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.web.server import Site
from twisted.web.static import File

reactor.listenTCP(8000, Site(File(".")), interface="127.0.0.1")
print("This folder is at http://127.0.0.1:8000/ until Ctrl-C")
reactor.run()
