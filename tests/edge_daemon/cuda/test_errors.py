"""What is said when a GPU fails."""

import pytest

from edge_daemon.cuda.errors import CudaError, NoGpuError
from edge_daemon.errors import EngineError


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("cudaErrorMemoryAllocation", "free memory on the GPU"),
        ("cudaErrorNoDevice", "CUDA_VISIBLE_DEVICES"),
        ("cudaErrorIllegalAddress", "look for Xid in the kernel's log"),
    ],
)
def test_a_cuda_error_names_call_error_and_remedy(name: str, remedy: str) -> None:
    error = CudaError("cudaMalloc", name, "out of something")
    assert str(error).startswith(f"cudaMalloc failed: {name} (out of something); ")
    assert remedy in str(error)
    assert (error.call, error.name) == ("cudaMalloc", name)
    assert isinstance(error, EngineError)


def test_where_there_is_no_gpu_the_cpu_is_the_remedy() -> None:
    error = NoGpuError("import cuda.bindings", "No module named 'cuda'")
    assert 'set [bundle] device = "cpu"' in str(error)
    assert isinstance(error, CudaError)
