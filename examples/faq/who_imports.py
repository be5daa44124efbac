import sys
import traceback

sys.modules["twisted.internet.reactor"] = None  # to import it is an error from now on

try:
    import twisted.web.proxy  # noqa: F401, what you import before install()
except ImportError as error:
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(f"it is {last.filename.rpartition('/')[2]}: {last.line}")
