"""Whose engine it is to be, and what is said where there is none."""

import importlib.util
import subprocess
import sys

import pytest

from edge_daemon.plans.faults import NoTensorRtError
from edge_daemon.plans.fingerprint import Flavour, GpuIdentity
from edge_daemon.plans.flavours import (
    choose_flavour,
    installed_flavours,
    load_flavour,
    network_flags,
    rtx_capabilities,
)
from tests.edge_daemon.plans.conftest import needs_rtx

ADA = GpuIdentity("NVIDIA RTX 4000 Ada", "8.9", "580.65")
HOPPER = GpuIdentity("NVIDIA H200", "9.0", "580.65")
needs_no_tensorrt = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here"
)


def test_without_tensorrt_the_error_names_both_ways_to_get_one() -> None:
    script = (
        "import sys; sys.modules['tensorrt'] = sys.modules['tensorrt_rtx'] = None\n"
        "from edge_daemon.plans.flavours import choose_flavour, installed_flavours\n"
        "from edge_daemon.plans.fingerprint import GpuIdentity\n"
        "assert installed_flavours() == []\n"
        "choose_flavour(None, GpuIdentity())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "NoTensorRtError" in done.stderr
    assert "pip install tensorrt;" in done.stderr
    assert "pip install tensorrt-rtx" in done.stderr


@needs_no_tensorrt
def test_a_flavour_that_is_not_installed_is_refused_by_name() -> None:
    with pytest.raises(NoTensorRtError, match=r"tensorrt can't be imported .*python3-libnvinfer"):
        load_flavour(Flavour.TENSORRT)


@needs_rtx
@needs_no_tensorrt
def test_rtx_is_chosen_where_it_alone_is_installed() -> None:
    assert installed_flavours() == [Flavour.TENSORRT_RTX]
    assert choose_flavour(None, GpuIdentity()) is Flavour.TENSORRT_RTX
    assert choose_flavour(None, ADA) is Flavour.TENSORRT_RTX


@needs_rtx
def test_rtx_is_refused_for_a_gpu_that_it_has_nothing_for() -> None:
    with pytest.raises(NoTensorRtError, match=r"nothing for NVIDIA H200 .*9\.0, only for .*8\.9"):
        choose_flavour(Flavour.TENSORRT_RTX, HOPPER)


@needs_rtx
def test_rtx_knows_turing_ampere_ada_and_blackwell() -> None:
    known = rtx_capabilities(load_flavour(Flavour.TENSORRT_RTX))
    assert {"7.5", "8.6", "8.9", "12.0"} <= set(known)
    assert not {"8.7", "9.0"} & set(known)


def test_a_network_is_strongly_typed_whether_there_is_a_flag_for_it_or_not() -> None:
    class Flagged:
        class NetworkDefinitionCreationFlag:
            EXPLICIT_BATCH = 0
            STRONGLY_TYPED = 1

    class Unflagged:
        class NetworkDefinitionCreationFlag:
            pass

    assert network_flags(Flagged) == 2
    assert network_flags(Unflagged) == 0
