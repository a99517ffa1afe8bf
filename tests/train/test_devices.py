"""A device that isn't there is named, with what to do about it."""

import pytest
import torch

from edge_daemon.errors import ConfigurationError
from train.config import OptimConfig
from train.devices import autocast, choose_device

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@without_gpu
def test_without_a_gpu_auto_is_the_processor_and_cuda_is_refused() -> None:
    assert choose_device(OptimConfig()) == torch.device("cpu")
    with pytest.raises(ConfigurationError, match=r"there are 0.*optim\.device=cpu"):
        choose_device(OptimConfig(device="cuda"))


def test_fp16_is_refused_on_a_processor() -> None:
    with pytest.raises(ConfigurationError, match=r"fp16 needs a GPU.*bf16"):
        choose_device(OptimConfig(device="cpu", precision="fp16"))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_precision_decides_what_convolutions_compute_in(precision: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Conv2d(1, 1, 3)
    with autocast(torch.device("cpu"), precision):
        assert layer(torch.zeros((1, 1, 8, 8))).dtype == dtype


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_each_process_has_a_gpu_of_its_own() -> None:
    assert choose_device(OptimConfig(precision="fp16")) == torch.device("cuda", 0)
    with pytest.raises(ConfigurationError, match="GPU of its own"):
        choose_device(OptimConfig(), local_rank=torch.cuda.device_count())
