"""Which GPU is here, and the way to it."""

from dataclasses import dataclass
from pathlib import Path

from edge_daemon.cuda.errors import NoGpuError
from edge_daemon.cuda.runtime import CudaRuntime

DRIVER_VERSION = Path("/sys/module/nvidia/version")


@dataclass(frozen=True, slots=True)
class GpuDescription:
    """What a plan depends on.

    Attributes:
        name: model, as the driver calls it.
        compute_capability: such as "8.7".
        driver: version of the driver, such as "580.65.06 (CUDA 13.0)".
    """

    name: str
    compute_capability: str
    driver: str


def load_cuda() -> CudaRuntime:
    """The real CUDA runtime; nothing is asked of it yet.

    Raises:
        NoGpuError: `cuda-bindings` isn't installed, or doesn't fit this machine.
    """
    try:
        from edge_daemon.cuda.bindings import CudaBindings  # noqa: PLC0415 - not on a CPU box
    except (ImportError, RuntimeError) as error:
        raise NoGpuError(
            "import cuda.bindings",
            str(error),
            "pip install 'cuda-bindings>=12.9.1' of the driver's major version",
        ) from error
    return CudaBindings()


def describe_gpu(
    cuda: CudaRuntime | None = None, *, index: int = 0, version_file: Path = DRIVER_VERSION
) -> GpuDescription:
    """Say which GPU this is; takes no memory on it.

    Args:
        cuda: the CUDA runtime; None loads the real one.
        index: of the GPU among those visible.
        version_file: where the kernel module tells its version; without it CUDA's alone is said.

    Raises:
        NoGpuError: there is none, or no driver for it.
        CudaError: the driver fails.
    """
    cuda = load_cuda() if cuda is None else cuda
    found = cuda.properties(index)
    major, minor = cuda.driver_version()
    driver = f"CUDA {major}.{minor}"
    if version_file.is_file():
        driver = f"{version_file.read_text(encoding='utf-8').strip()} ({driver})"
    return GpuDescription(found.name, ".".join(map(str, found.compute_capability)), driver)
