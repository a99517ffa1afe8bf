"""Which GPU is here; what is said where there is none, and what a CPU box doesn't load."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.cuda.device import GpuDescription, describe_gpu
from edge_daemon.cuda.errors import NoGpuError
from tests.edge_daemon.cuda.fake_cuda import FakeCuda


def test_model_capability_and_driver_are_told(tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("580.65.06\n")
    assert describe_gpu(FakeCuda(), version_file=version) == GpuDescription(
        "Fake GPU", "9.0", "580.65.06 (CUDA 13.0)"
    )


def test_without_a_version_of_the_kernel_module_cudas_is_told(tmp_path: Path) -> None:
    assert describe_gpu(FakeCuda(), version_file=tmp_path / "none").driver == "CUDA 13.0"


def test_telling_takes_no_memory_on_the_gpu() -> None:
    fake = FakeCuda()
    describe_gpu(fake)
    assert fake.calls == ["cudaGetDeviceProperties", "cudaDriverGetVersion"]


@pytest.mark.usefixtures("_no_driver")
def test_where_there_is_no_driver_it_is_said_with_the_remedy() -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    with pytest.raises(NoGpuError, match=r'no NVIDIA driver is loaded, .* device = "cpu"'):
        describe_gpu()


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50
    )


def test_where_cuda_bindings_are_missing_it_is_said_how_to_get_them() -> None:
    program = (
        "import sys; sys.modules['cuda'] = None\n"
        "from edge_daemon.cuda.device import load_cuda\n"
        "load_cuda()"
    )
    ended = run(program)
    assert "NoGpuError: import cuda.bindings failed" in ended.stderr
    assert "pip install 'cuda-bindings" in ended.stderr


def test_nothing_of_a_gpu_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "import edge_daemon.cuda.device, edge_daemon.inference.plan_segmenter\n"
        "loaded = {'cuda', 'torch', 'tensorrt', 'tensorrt_rtx'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
