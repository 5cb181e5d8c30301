"""Distinguishes a cell that the kernel executes from the body of a cell magic.

IPython passes the same lines to an input transformer in both cases, and nothing else. Only the caller
differs: ``do_execute`` of ipykernel's ``IPythonKernel`` transforms the whole cell itself, and then awaits
it. A magic such as ``%%time`` transforms its body in code of IPython, which cannot await.

Measured with ipykernel 6.30.1, 7.3.0 and 7.4.0 and IPython 9.18.1: ``do_execute`` calls
``shell.transform_cell``, which calls the transformers. In a kernel that works differently,
the blocking magic is used, which works everywhere.
"""

from __future__ import annotations

import sys


def is_whole_cell() -> bool:
    """Return True in an input transformer that the kernel's ``do_execute`` has called for a cell."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name != "transform_cell":
        frame = frame.f_back
    return frame.f_back is not None and frame.f_back.f_code.co_name == "do_execute"
