"""Django and Channels, served by Daphne on tornado4's loop: one file, one process.

To run it:

    pip install tornado4 daphne channels
    python channels_server.py [PORT]
"""

import asyncio
import sys

from tornado4.platform.twisted import install

reactor = install()  # Before Daphne, which takes the reactor that it finds.

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from daphne.server import Server
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from twisted.internet.task import deferLater


async def index(request):
    """An ordinary view of Django's, which awaits a Deferred."""
    loop = type(asyncio.get_running_loop())
    return HttpResponse(await deferLater(reactor, 0.05, lambda: f"Django on {loop}\n"))


class Chat(AsyncWebsocketConsumer):
    """Everyone hears what anyone says."""

    async def connect(self):
        await self.channel_layer.group_add("chat", self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard("chat", self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send("chat", {"type": "said", "text": text_data})

    async def said(self, event):
        await self.send(text_data=event["text"])


urlpatterns = [path("", index)]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("chat", Chat.as_asgi())]),
    }
)

if __name__ == "__main__":
    port = int(sys.argv[1]) if sys.argv[1:] else 8000
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    print(f"On {type(reactor)}: http://127.0.0.1:{port}/ and ws://127.0.0.1:{port}/chat")
    Server(application, endpoints=[endpoint]).run()
    print("Stopped")
