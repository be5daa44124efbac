"""What a loop is given to hold, to see when it lets go of it."""


class Thing:
    """Weakly referable, and callable with anything."""

    def __call__(self, *args):
        pass


class Failing(Thing):
    def __call__(self, *args):
        raise ValueError("mine")


def soon(loop, thing):
    loop.call_soon(thing, thing)


def threadsafe(loop, thing):
    loop.call_soon_threadsafe(thing, thing)


def later(loop, thing):
    loop.call_later(0, thing, thing)


WAYS = [soon, threadsafe, later]
