"""Several processes that train one network: `torchrun --nproc-per-node 2 -m train fit ...`.

Each process (rank) takes other parts of the same step. Sums in the losses run over all ranks, so
that n ranks with batch B do what one process with batch n B does. Rank 0 alone reads and writes
the run's folder, validates and reports; the data have to be on every machine.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from edge_daemon.errors import ConfigurationError

PATIENCE = timedelta(hours=2)
"""Ranks wait for rank 0 while it validates; torch's own limit of minutes would end the run."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of a run.

    Attributes:
        rank: its number, from 0.
        count: how many there are; with 1 nothing is ever sent.
        local_rank: its number on its machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the run's folder."""
        return self.rank == 0

    def total(self, part: Tensor) -> Tensor:
        """The sum of a tensor over all ranks, as a loss needs it.

        Every rank gets the whole loss, but only the gradient of its own part, `count` times: the
        mean over ranks, which DistributedDataParallel takes, is then the gradient of the whole.
        """
        if self.count == 1:
            return part
        whole = part.detach().clone()
        distributed.all_reduce(whole)
        return whole + self.count * (part - part.detach())

    def total_without_mine(self, part: Tensor) -> Tensor:
        """The same where this rank has nothing to add and only keeps step with the others."""
        return self.total(0 * part)

    def any(self, *, is_so: bool) -> bool:
        """Whether it is so on any rank."""
        if self.count == 1:
            return is_so
        flag = torch.tensor(int(is_so))
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag)

    def from_first(self, value: Any) -> Any:  # noqa: ANN401 - whatever rank 0 has
        """What rank 0 gave; the others' values don't matter."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started; without torchrun there is this one alone.

    Raises:
        ConfigurationError: torchrun's variables are there only in part.
    """
    count = _number("WORLD_SIZE", 1)
    if count == 1:
        yield Ranks()
        return
    ranks = Ranks(_number("RANK"), count, _number("LOCAL_RANK"))
    # small messages are on the processor even where the networks are not
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    if not text.isdecimal():
        raise ConfigurationError(
            f"the environment has {name}={text!r}: start several processes with `torchrun`, which "
            "sets RANK, WORLD_SIZE and LOCAL_RANK"
        )
    return int(text)
