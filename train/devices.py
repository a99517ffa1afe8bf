"""Where a run computes, and in which precision."""

import torch

from edge_daemon.errors import ConfigurationError
from train.config import OptimConfig

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(optim: OptimConfig, *, local_rank: int = 0) -> torch.device:
    """The device of a process.

    Args:
        optim: wishes.
        local_rank: number of the process on its machine; each takes a GPU of its own.

    Raises:
        ConfigurationError: there is no such GPU, or the precision needs one.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wants_gpu = optim.device == "cuda" or (optim.device == "auto" and gpus > 0)
    if wants_gpu and local_rank >= gpus:
        raise ConfigurationError(
            f"process {local_rank} of this machine needs a GPU of its own, there are {gpus}: start "
            "fewer processes, mend the driver (see `nvidia-smi`), or set optim.device=cpu"
        )
    if optim.precision == "fp16" and not wants_gpu:
        raise ConfigurationError(
            "optim.precision=fp16 needs a GPU; on a processor take bf16 (with AVX-512 BF16 or AMX) "
            "or fp32"
        )
    return torch.device("cuda", local_rank) if wants_gpu else torch.device("cpu")


def prepare(device: torch.device, *, threads: int) -> None:
    """Settings of torch as a whole: threads on a processor; tensor cores and tuning on a GPU.

    TF32 keeps fp32's range with 10 bits of mantissa: as exact as training needs, several times as
    fast.
    """
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network runs in a precision."""
    return torch.autocast(device.type, AUTOCAST.get(precision), enabled=precision in AUTOCAST)
