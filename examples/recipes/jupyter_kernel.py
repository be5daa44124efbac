"""A Jupyter kernel on tornado4's loop: cells await Deferreds as they are.

    pip install tornado4 ipykernel
    python jupyter_kernel.py install

Then choose "Python on tornado4" in Jupyter. Each of its kernels runs this file.
"""

import json
import sys
import tempfile
from pathlib import Path

from tornado.ioloop import IOLoop

IOLoop.configure("tornado4.ioloop.IOLoop")  # Before anything makes a loop.


def install(prefix=sys.prefix):
    """Tell Jupyter of this kernel, in this environment."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = {
        "argv": [sys.executable, str(Path(__file__).resolve()), "-f", "{connection_file}"],
        "display_name": "Python on tornado4",
        "language": "python",
    }
    with tempfile.TemporaryDirectory() as place:
        Path(place, "kernel.json").write_text(json.dumps(spec))
        print(KernelSpecManager().install_kernel_spec(place, "tornado4", prefix=prefix))


if __name__ == "__main__":
    if sys.argv[1:2] == ["install"]:
        install(*sys.argv[2:])
    else:
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance()
