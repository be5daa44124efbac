from tornado.web import Application, RequestHandler

from tornado4.ioloop import IOLoop


class Hello(RequestHandler):
    def get(self):
        self.write("Hello from Tornado\n")


Application([("/", Hello)]).listen(8000, "127.0.0.1")
print("See http://127.0.0.1:8000/ until Ctrl-C")
try:
    IOLoop.current().start()
except KeyboardInterrupt:
    pass
