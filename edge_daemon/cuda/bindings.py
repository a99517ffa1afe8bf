"""CUDA calls through `cuda-bindings`: the one module that imports it; `load_cuda` imports this one.

From cuda-bindings 12.9.1 on, waiting lets other threads run; older ones hold Python's lock.
"""

from typing import Any

from cuda.bindings import runtime

from edge_daemon.cuda.errors import NO_GPU, CudaError, NoGpuError
from edge_daemon.cuda.runtime import DeviceProperties


class CudaBindings:
    """The real CUDA runtime."""

    def use_device(self, index: int) -> None:
        """Make a GPU the calling thread's own."""
        _call("cudaSetDevice", index)

    def properties(self, index: int) -> DeviceProperties:
        """What a GPU is."""
        found = _call("cudaGetDeviceProperties", index)
        return DeviceProperties(
            found.name.decode(errors="replace"), (found.major, found.minor), bool(found.integrated)
        )

    def driver_version(self) -> tuple[int, int]:
        """Latest CUDA version that the driver knows; CUDA writes 13.0 as 13000."""
        version: int = _call("cudaDriverGetVersion")
        return version // 1000, version % 1000 // 10

    def memory_info(self) -> tuple[int, int]:
        """Bytes free and bytes in all."""
        free, total = _call("cudaMemGetInfo")
        return free, total

    def malloc(self, size: int) -> int:
        """Memory on the device."""
        return _handle("cudaMalloc", size)

    def free(self, pointer: int) -> None:
        """Give it back."""
        _call("cudaFree", pointer)

    def malloc_host(self, size: int, *, mapped: bool) -> int:
        """Pinned memory on the host."""
        flags = runtime.cudaHostAllocMapped if mapped else runtime.cudaHostAllocDefault
        return _handle("cudaHostAlloc", size, flags)

    def free_host(self, pointer: int) -> None:
        """Give it back."""
        _call("cudaFreeHost", pointer)

    def mapped_address(self, pointer: int) -> int:
        """The device's address of mapped host memory."""
        return _handle("cudaHostGetDevicePointer", pointer, 0)

    def create_stream(self) -> int:
        """A queue of work that doesn't wait for the default stream."""
        return _handle("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)

    def destroy_stream(self, stream: int) -> None:
        """Give it back."""
        _call("cudaStreamDestroy", stream)

    def create_event(self, *, blocking: bool, timed: bool) -> int:
        """A mark in a stream."""
        flags = runtime.cudaEventBlockingSync if blocking else runtime.cudaEventDefault
        if not timed:
            flags |= runtime.cudaEventDisableTiming
        return _handle("cudaEventCreateWithFlags", flags)

    def destroy_event(self, event: int) -> None:
        """Give it back."""
        _call("cudaEventDestroy", event)

    def record_event(self, event: int, stream: int) -> None:
        """Put the mark behind what is in the stream."""
        _call("cudaEventRecord", event, stream)

    def wait_event(self, event: int) -> None:
        """Return once the stream has come to the mark."""
        _call("cudaEventSynchronize", event)

    def elapsed_ms(self, begin: int, end: int) -> float:
        """Milliseconds between two timed events."""
        elapsed: float = _call("cudaEventElapsedTime", begin, end)
        return elapsed

    def copy_to_device(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from pinned host memory."""
        _copy(to, source, size, kind=runtime.cudaMemcpyKind.cudaMemcpyHostToDevice, stream=stream)

    def copy_to_host(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes to pinned host memory."""
        _copy(to, source, size, kind=runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost, stream=stream)

    def copy_on_device(self, to: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from device memory to device memory."""
        _copy(to, source, size, kind=runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice, stream=stream)

    def begin_capture(self, stream: int) -> None:
        """Write down instead of doing; what other threads do on the GPU meanwhile is no matter."""
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call("cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> int:
        """The graph of what was written down."""
        return _handle("cudaStreamEndCapture", stream)

    def instantiate(self, graph: int) -> int:
        """Make a graph ready to launch."""
        return _handle("cudaGraphInstantiate", graph, 0)

    def destroy_graph(self, graph: int) -> None:
        """Give it back."""
        _call("cudaGraphDestroy", graph)

    def destroy_executable(self, executable: int) -> None:
        """Give back an instantiated graph."""
        _call("cudaGraphExecDestroy", executable)

    def launch(self, executable: int, stream: int) -> None:
        """Do all that a graph holds."""
        _call("cudaGraphLaunch", executable, stream)


def _copy(to: int, source: int, size: int, *, kind: Any, stream: int) -> None:  # noqa: ANN401 - an enum of the untyped library
    _call("cudaMemcpyAsync", to, source, size, kind, stream)


def _handle(call: str, *arguments: object) -> int:
    return int(_call(call, *arguments))


def _call(call: str, *arguments: object) -> Any:  # noqa: ANN401 - the library is untyped
    """What a call gives beside its status.

    Raises:
        CudaError: the status isn't success.
    """
    status, *values = getattr(runtime, call)(*arguments)
    if status != runtime.cudaError_t.cudaSuccess:
        _, detail = runtime.cudaGetErrorString(status)
        kind = NoGpuError if status.name in NO_GPU else CudaError
        raise kind(call, status.name, detail.decode())
    return values[0] if len(values) == 1 else values
