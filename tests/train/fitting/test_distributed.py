"""Two processes do what one with twice the batch does, and end together."""

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_daemon.errors import ConfigurationError
from edge_daemon.simulation.strips import draw_strip
from tests.train.fitting.conftest import quick_config
from tests.train.fitting.running import free_port, running, say, wait_for
from train.config import RunConfig
from train.fitting.distributed import Ranks, joined
from train.fitting.loop import fit
from train.fitting.runlog import LOG
from train.runs import RunFolder

EVERY_LOSS = {"dice": 0.5, "focal": 0.5, "lovasz": 0.5, "image": 0.5}
NETWORK = {
    "architecture": "unet",
    "width": 2,
    "depth": 1,
    "batch_norm": False,
    "image_head": True,
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "twice the batch": ({"batch": 2, "accumulate": 2}, {"batch": 4, "accumulate": 2}),
    "uneven parts of an epoch": (
        {"batch": 3, "accumulate": "epoch"},
        {"batch": 3, "accumulate": "epoch"},
    ),
}


def run_alone(config: RunConfig, folder: Path) -> None:
    fit(config, RunFolder(folder), draw=draw_strip, report=lambda _: None)


def run_by_two(config: RunConfig, folder: Path) -> None:
    port = free_port()
    with ExitStack() as opened:
        processes = [
            opened.enter_context(running(config, folder, rank=rank, of=2, port=port))
            for rank in range(2)
        ]
        for process in processes:
            wait_for(process, "ended")


def config_of(root: Path, optim: dict[str, Any], **changes: Any) -> RunConfig:  # noqa: ANN401 - TOML values
    sampling = "epoch" if optim.get("accumulate") == "epoch" else "balanced"
    return RunConfig.model_validate(
        {
            **quick_config(root).model_dump(mode="json"),
            "evaluate_every": 1,
            "network": NETWORK,
            "loss": EVERY_LOSS if sampling == "balanced" else {"dice": 0},
            "data": quick_config(root).data.model_dump(mode="json") | {"sampling": sampling},
            "optim": quick_config(root).optim.model_dump(mode="json")
            | {"steps": 3, "ema_decay": 0.0}
            | optim,
            **changes,
        }
    )


def logged(folder: Path) -> list[dict[str, float]]:
    timing = {"seconds", "strips_per_s", "warnings"}
    lines = (folder / LOG).read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in timing} for line in lines]


FIRST_NOW = [
    case if number == 0 else pytest.param(case, marks=pytest.mark.slow)
    for number, case in enumerate(CASES)
]


@pytest.mark.timeout(240)  # processes that import torch, beside whatever else is running
@pytest.mark.parametrize("case", FIRST_NOW)
def test_two_processes_do_what_one_with_twice_the_batch_does(
    case: str, root: Path, tmp_path: Path
) -> None:
    of_two, of_one = CASES[case]
    run_alone(config_of(root, of_one), tmp_path / "one")
    run_by_two(config_of(root, of_two), tmp_path / "two")
    one, two = logged(tmp_path / "one"), logged(tmp_path / "two")
    assert [line["step"] for line in two] == [1, 2, 3]
    for first, second in zip(one, two, strict=True):
        assert second == pytest.approx(first, abs=1e-5)
    states = [RunFolder(tmp_path / name).average()[0].state_dict() for name in ("one", "two")]
    for name, tensor in states[0].items():
        assert torch.allclose(states[1][name], tensor, atol=1e-5), name


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_request_to_any_process_ends_all_after_the_same_step(root: Path, tmp_path: Path) -> None:
    config, port = config_of(root, {"steps": 500}, evaluate_every=500), free_port()
    with (
        running(config, tmp_path / "run", rank=0, of=2, port=port, pause_at=2) as first,
        running(config, tmp_path / "run", rank=1, of=2, port=port) as second,
    ):
        wait_for(first, "step 2")
        second.send_signal(signal.SIGTERM)
        say(first)
        for process in (first, second):
            wait_for(process, "ended")
    state = torch.load(RunFolder(tmp_path / "run").checkpoint, weights_only=True)
    assert 2 <= state["step"] < 500
    assert state["processes"] == 2


def test_without_torchrun_there_is_one_process_and_nothing_is_sent() -> None:
    with joined() as ranks:
        assert ranks == Ranks()
        tensor = torch.ones(2)
        assert ranks.total(tensor) is tensor
        assert ranks.any(is_so=True)
        assert not ranks.any(is_so=False)
        assert ranks.from_first("it") == "it"


def test_half_of_torchruns_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigurationError, match=r"RANK=''.*torchrun"), joined():
        pass
