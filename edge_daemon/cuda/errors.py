"""What goes wrong on a GPU.

EngineError
|-- CudaError       a CUDA call failed; the process leaves: what the GPU holds is unknown
|   `-- NoGpuError  there is no GPU to ask, or nothing to ask it with
`-- PlanError       a plan can't be used: another GPU's or bundle's, damaged; build it again
"""

from edge_daemon.errors import EXIT_CUDA, EngineError

NO_GPU = frozenset({"cudaErrorInsufficientDriver", "cudaErrorNoDevice", "cudaErrorStubLibrary"})
"""Errors that mean: there is nothing here to compute on."""

_REMEDIES = {
    "cudaErrorInsufficientDriver": "no NVIDIA driver is loaded, or it is older than the CUDA "
    'runtime: install one (nvidia-smi shows it), or set [bundle] device = "cpu"',
    "cudaErrorNoDevice": "no NVIDIA GPU is visible: see nvidia-smi and CUDA_VISIBLE_DEVICES, or "
    'set [bundle] device = "cpu"',
    "cudaErrorStubLibrary": "libcuda.so is the toolkit's stub: put the driver's own first on the "
    "library path",
    "cudaErrorMemoryAllocation": "free memory on the GPU (nvidia-smi shows who holds it)",
}


class CudaError(EngineError):
    """A CUDA call failed; whatever was asked of the GPU is unknown.

    Most such errors stay: every later call of the process fails too. So the process leaves.

    Attributes:
        call: the function that failed.
        name: CUDA's name of the error, or what TensorRT or torch said.
    """

    exit_code = EXIT_CUDA
    remedy = "the process has to start again; if it comes back, look for Xid in the kernel's log"

    def __init__(self, call: str, name: str, detail: str = "") -> None:
        said = f"{name} ({detail})" if detail else name
        super().__init__(f"{call} failed: {said}; {_REMEDIES.get(name, self.remedy)}")
        self.call = call
        self.name = name


class NoGpuError(CudaError):
    """There is no usable GPU: no driver, no device, or no library that reaches it."""

    remedy = 'set [bundle] device = "cpu" where there is meant to be none'


class PlanError(EngineError):
    """A plan doesn't fit this GPU, this TensorRT or this bundle, or is damaged."""
