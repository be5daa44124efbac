"""Tells Jupyter of a kernel on tornado4's loop, whose cells await Deferreds as they are.

    pip install tornado4 ipykernel
    python jupyter_kernel.py [PREFIX]

Then choose "Python on tornado4" in Jupyter. PREFIX is where Jupyter looks for kernels: this
environment's, unless it is given.
"""

import json
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

spec = {
    # As Jupyter starts its own kernel, but for these two words.
    "argv": [
        *(sys.executable, "-m", "tornado4"),
        *("-m", "ipykernel_launcher", "-f", "{connection_file}"),
    ],
    "display_name": "Python on tornado4",
    "language": "python",
    "metadata": {"debugger": True},
}
prefix = sys.argv[1] if sys.argv[1:] else sys.prefix
with tempfile.TemporaryDirectory() as place:
    Path(place, "kernel.json").write_text(json.dumps(spec))
    print(KernelSpecManager().install_kernel_spec(place, "tornado4", prefix=prefix))
