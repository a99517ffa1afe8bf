"""The CUDA runtime calls that are needed, as a seam: `CudaBindings` makes them.

Addresses and handles are plain integers. Calls with a stream return at once; what they started has
happened once an event recorded behind them was waited for. Each raises CudaError.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeviceProperties:
    """What is fixed about a GPU.

    Attributes:
        name: as the driver calls it, such as "NVIDIA L4".
        compute_capability: major and minor.
        is_integrated: shares the host's memory, as on a Jetson.
    """

    name: str
    compute_capability: tuple[int, int]
    is_integrated: bool


class CudaRuntime(Protocol):
    """CUDA calls, each checked."""

    def use_device(self, index: int) -> None:
        """Make a GPU the calling thread's own."""
        ...

    def properties(self, index: int) -> DeviceProperties:
        """What a GPU is; takes no memory on it."""
        ...

    def driver_version(self) -> tuple[int, int]:
        """Latest CUDA version that the driver knows; (0, 0) without a driver."""
        ...

    def memory_info(self) -> tuple[int, int]:
        """Bytes free and bytes in all on the GPU."""
        ...

    def malloc(self, size: int) -> int:
        """Memory on the device, in bytes."""
        ...

    def free(self, pointer: int) -> None:
        """Give it back."""
        ...

    def malloc_host(self, size: int, *, mapped: bool) -> int:
        """Pinned memory on the host; mapped: the device can reach it by `mapped_address`."""
        ...

    def free_host(self, pointer: int) -> None:
        """Give it back."""
        ...

    def mapped_address(self, pointer: int) -> int:
        """The device's address of mapped host memory."""
        ...

    def create_stream(self) -> int:
        """A queue of work that doesn't wait for the default stream."""
        ...

    def destroy_stream(self, stream: int) -> None:
        """Give it back."""
        ...

    def create_event(self, *, blocking: bool, timed: bool) -> int:
        """A mark in a stream; who waits for it sleeps (blocking) or spins."""
        ...

    def destroy_event(self, event: int) -> None:
        """Give it back."""
        ...

    def record_event(self, event: int, stream: int) -> None:
        """Put the mark behind what is in the stream."""
        ...

    def wait_event(self, event: int) -> None:
        """Return once the stream has come to the mark; errors of what ran before surface here."""
        ...

    def elapsed_ms(self, begin: int, end: int) -> float:
        """Milliseconds between two timed events that were both waited for."""
        ...

    def copy_to_device(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from pinned host memory."""
        ...

    def copy_to_host(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes to pinned host memory."""
        ...

    def copy_on_device(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from device memory to device memory."""
        ...

    def begin_capture(self, stream: int) -> None:
        """From here on the stream's work is written down instead of done."""
        ...

    def end_capture(self, stream: int) -> int:
        """The graph of what was written down."""
        ...

    def instantiate(self, graph: int) -> int:
        """Make a graph ready to launch."""
        ...

    def destroy_graph(self, graph: int) -> None:
        """Give it back; what was instantiated from it stays."""
        ...

    def destroy_executable(self, executable: int) -> None:
        """Give back an instantiated graph."""
        ...

    def launch(self, executable: int, stream: int) -> None:
        """Do all that a graph holds."""
        ...
