"""Stops one thread of another process, as a debugger does: ptrace(2).

A thread of a library's can't be made to stand still from within.
"""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ANY_THREAD = 0x40000000  # __WALL: wait for threads too, not for processes only
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextmanager
def stopped(pid: int, name: str) -> Iterator[None]:
    """Have the thread whose name starts so stand still, in a child of this process.

    Raises:
        OSError: it may not be traced.
    """
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = [task for task in tasks if (task / "comm").read_text().startswith(name)]
    (thread,) = (int(task.name) for task in found)
    _trace(_SEIZE, thread)
    _trace(_INTERRUPT, thread)
    os.waitpid(thread, _ANY_THREAD)
    try:
        yield
    finally:
        _trace(_DETACH, thread)


def may_trace() -> bool:
    """Whether the kernel, or the container, lets a process trace its child."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        time.sleep(0.05)
        try:
            with stopped(child.pid, ""):
                return True
        except OSError:
            return False


def _trace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
