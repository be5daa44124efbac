"""pytest-twisted on tornado4's loop.

To run it:

    pip install tornado4 pytest-twisted
    pytest -p no:asyncio --reactor=asyncio testing/with_twisted
"""

from tornado4.platform.twisted import install

# Before pytest-twisted, which takes it for the asyncio reactor that it wants.
install()
