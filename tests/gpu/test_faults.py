"""A GPU that faults: every backend says so, and none says clean."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from tests.gpu.faulting import ENDED_BY_CUDA_ERROR
from tests.gpu.opening import need_gpu, open_plan, open_torch

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
BUNDLE = load_bundle(shipped_bundle())


@pytest.mark.parametrize("backend", ["plan", "torch"])
def test_an_illegal_address_ends_in_a_cuda_error(tmp_path: Path, backend: str) -> None:
    need_gpu()
    if backend == "plan":  # skips where there is no TensorRT, and builds the plan
        open_plan(BUNDLE, tmp_path)
    else:
        open_torch(BUNDLE, device="cuda")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.gpu.faulting", backend, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == ENDED_BY_CUDA_ERROR, ended.stderr
    assert "illegal" in ended.stdout.lower()
