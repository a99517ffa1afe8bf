"""The real cuda-bindings on a machine without a driver: every call says so, none is passed over."""

from collections.abc import Callable

import pytest

from edge_daemon.cuda.errors import NoGpuError
from edge_daemon.cuda.runtime import CudaRuntime

pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")

CALLS: dict[str, Callable[[CudaRuntime], object]] = {
    "cudaSetDevice": lambda cuda: cuda.use_device(0),
    "cudaGetDeviceProperties": lambda cuda: cuda.properties(0),
    "cudaMemGetInfo": lambda cuda: cuda.memory_info(),
    "cudaMalloc": lambda cuda: cuda.malloc(64),
    "cudaFree": lambda cuda: cuda.free(64),
    "cudaHostAlloc": lambda cuda: cuda.malloc_host(64, mapped=True),
    "cudaFreeHost": lambda cuda: cuda.free_host(64),
    "cudaHostGetDevicePointer": lambda cuda: cuda.mapped_address(64),
    "cudaStreamCreateWithFlags": lambda cuda: cuda.create_stream(),
    "cudaStreamDestroy": lambda cuda: cuda.destroy_stream(64),
    "cudaEventCreateWithFlags": lambda cuda: cuda.create_event(blocking=True, timed=False),
    "cudaEventDestroy": lambda cuda: cuda.destroy_event(64),
    "cudaEventRecord": lambda cuda: cuda.record_event(64, 65),
    "cudaEventSynchronize": lambda cuda: cuda.wait_event(64),
    "cudaEventElapsedTime": lambda cuda: cuda.elapsed_ms(64, 65),
    "cudaStreamBeginCapture": lambda cuda: cuda.begin_capture(64),
    "cudaStreamEndCapture": lambda cuda: cuda.end_capture(64),
    "cudaGraphInstantiate": lambda cuda: cuda.instantiate(64),
    "cudaGraphDestroy": lambda cuda: cuda.destroy_graph(64),
    "cudaGraphExecDestroy": lambda cuda: cuda.destroy_executable(64),
    "cudaGraphLaunch": lambda cuda: cuda.launch(64, 65),
}
COPIES: dict[str, Callable[[CudaRuntime], object]] = {
    "to device": lambda cuda: cuda.copy_to_device(64, 65, 1, 66),
    "to host": lambda cuda: cuda.copy_to_host(64, 65, 1, 66),
    "on device": lambda cuda: cuda.copy_on_device(64, 65, 1, 66),
}


@pytest.fixture
def cuda(_no_driver: None) -> CudaRuntime:
    # imported here: without cuda-bindings this module is skipped, not broken
    from edge_daemon.cuda.bindings import CudaBindings  # noqa: PLC0415 - as said

    return CudaBindings()


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_is_an_error_with_its_name(cuda: CudaRuntime, call: str) -> None:
    with pytest.raises(NoGpuError, match=rf"^{call} failed: cudaErrorInsufficientDriver") as caught:
        CALLS[call](cuda)
    assert caught.value.call == call


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_that_fails_is_an_error(cuda: CudaRuntime, way: str) -> None:
    with pytest.raises(NoGpuError, match=r"^cudaMemcpyAsync failed"):
        COPIES[way](cuda)


def test_without_a_driver_its_version_is_nought(cuda: CudaRuntime) -> None:
    assert cuda.driver_version() == (0, 0)


def test_every_call_of_the_seam_is_there(cuda: CudaRuntime) -> None:
    wanted = {name for name in vars(CudaRuntime) if not name.startswith("_")}
    assert wanted <= set(dir(cuda))
    tried = len(CALLS) + len(COPIES) + len(["driver_version"])
    assert tried == len(wanted)
