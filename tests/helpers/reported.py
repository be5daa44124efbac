"""What a loop tells in words, without what is another each time."""

import logging
import re

TRACEBACK = "source_traceback"


def plain(text):
    """A text without numbers of descriptors and addresses in memory."""
    text = re.sub(r"\b(fd=|pipe )\d+", r"\1N", str(text))
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    # Where a handle was made.
    return re.sub(r" created at \S+:\d+", " created", text)


def described(error):
    return type(error).__name__, str(error)


def reported(context):
    """A context of the loop's exception handler, all of it."""
    told = {key: plain(value) for key, value in context.items() if key != TRACEBACK}
    if "exception" in context:
        told["exception"] = described(context["exception"])
    return ("reported", told, TRACEBACK in context)


class LogToTrace(logging.Handler):
    """Writes what asyncio logs to a trace."""

    def __init__(self, trace):
        super().__init__(logging.DEBUG)
        self.trace = trace

    def __enter__(self):
        logger = logging.getLogger("asyncio")
        self.level_before = logger.level
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)
        return self

    def __exit__(self, *exc):
        logger = logging.getLogger("asyncio")
        logger.removeHandler(self)
        logger.setLevel(self.level_before)

    def emit(self, record):
        error = described(record.exc_info[1]) if record.exc_info else None
        self.trace.append(("logged", record.levelname, plain(record.getMessage()), error))
