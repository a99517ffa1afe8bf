"""A process whose GPU faults under it; a test starts it and looks at how it ends.

    python -m tests.gpu.faulting plan|torch CACHE

It asks once, has a kernel write to address 0, and asks again: that has to be a CudaError, and
leaving must not hide it behind another one.
"""

import contextlib
import ctypes
import sys
from pathlib import Path

import numpy as np
from cuda.bindings import driver

from edge_daemon.cuda.errors import CudaError
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.segmenter import Segmenter
from tests.gpu.opening import open_plan, open_torch

ENDED_BY_CUDA_ERROR = 71
PTX = b"""
.version 6.4
.target sm_75
.address_size 64
.visible .entry fault()
{
    .reg .b64 %address;
    .reg .b32 %value;
    mov.u64 %address, 0;
    mov.u32 %value, 1;
    st.global.u32 [%address], %value;
    ret;
}
"""


def provoke() -> None:
    """Write to address 0 on the GPU; nothing is said of it until somebody asks."""
    text = ctypes.create_string_buffer(PTX)  # ends in a zero, as the driver wants it
    module = _checked(driver.cuModuleLoadData(ctypes.addressof(text)))
    kernel = _checked(driver.cuModuleGetFunction(module, b"fault"))
    _checked(driver.cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0))


def _checked(result: tuple[object, ...]) -> object:
    status, *values = result
    if status != driver.CUresult.CUDA_SUCCESS:
        raise SystemExit(f"the fault could not be provoked: {status}")
    return values[0] if values else None


def main(backend: str, cache: Path) -> int:
    """Exit code."""
    bundle = load_bundle(shipped_bundle())
    strips = [np.full((256, 1600), 128, np.uint8)]
    try:
        with contextlib.ExitStack() as stack:
            segmenter: Segmenter
            if backend == "plan":
                segmenter = stack.enter_context(open_plan(bundle, cache))
            else:
                segmenter = open_torch(bundle, device="cuda")
            segmenter.segment(strips)
            provoke()
            for _ in range(2):  # at the latest the second wait hears of it
                segmenter.segment(strips)
    except CudaError as error:
        sys.stdout.write(f"{error}\n")
        return ENDED_BY_CUDA_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
