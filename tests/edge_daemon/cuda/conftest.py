"""Whether this machine has a GPU."""

import pytest

from edge_daemon.cuda.device import describe_gpu
from edge_daemon.cuda.errors import NoGpuError


@pytest.fixture
def _no_driver() -> None:
    """Skip where there is a GPU: what is tested is how its absence is told."""
    try:
        gpu = describe_gpu()
    except NoGpuError:
        return
    pytest.skip(f"there is a GPU, {gpu.name}")
