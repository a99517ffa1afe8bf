"""A run goes on as it was, or the key that has changed is named."""

from pathlib import Path
from typing import Any

import pytest

from train.config import RunConfig
from train.data.split import Split
from train.fitting.resuming import (
    ChangedRunError,
    check_count,
    check_split,
    check_unchanged,
)

PATH = Path("runs/one/checkpoint.pt")


def config(**changes: Any) -> RunConfig:  # noqa: ANN401 - TOML values
    table: dict[str, Any] = {"optim": {"steps": 100, "flat_share": 0.5, "full_width_share": 0.3}}
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            table.setdefault(section, {})[name] = value
        else:
            table[key] = value
    return RunConfig.model_validate(table)


def check(step: int = 10, before: RunConfig | None = None, **changes: Any) -> None:  # noqa: ANN401 - TOML values
    saved = (before or config()).model_dump(mode="json")
    check_unchanged(saved, config(**changes), step=step, path=PATH)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"evaluate_every": 7},
        {"checkpoint_every": 7},
        {"threads": 1},
        {"data__root": "elsewhere"},
        {"optim__device": "cpu"},
        {"optim__steps": 200},
    ],
)
def test_what_decides_nothing_may_change(changes: dict[str, Any]) -> None:
    check(**changes)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("seed", {"seed": 2}),
        ("optim.batch", {"optim__batch": 4}),
        ("optim.precision", {"optim__precision": "bf16"}),
        ("data.class_names", {"data__class_names": ("a", "b", "c", "d")}),
        ("network.image_head", {"network__image_head": True}),
        ("network.architecture", {"network__architecture": "unet"}),
        ("loss.dice", {"loss__dice": 0.1}),
    ],
)
def test_everything_else_is_named(key: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ChangedRunError, match=rf"^{key} was .*start=runs/one"):
        check(**changes)


@pytest.mark.parametrize(("step", "steps"), [(51, 200), (10, 15), (26, 50)])
def test_steps_may_not_change_once_they_matter(step: int, steps: int) -> None:
    with pytest.raises(ChangedRunError, match=r"^optim\.steps was 100 .* is \d+ now.*only before"):
        check(step=step, optim__steps=steps)


def test_a_constant_rate_may_be_prolonged_at_its_end() -> None:
    flat = {"optim__schedule": "constant", "optim__full_width_share": 0.0}
    check(step=100, before=config(**flat), **flat, optim__steps=150)


def test_a_plateau_minds_how_often_it_is_validated() -> None:
    plateau = config(optim__schedule="plateau")
    with pytest.raises(ChangedRunError, match=r"^evaluate_every .*A plateau counts"):
        check(before=plateau, optim__schedule="plateau", evaluate_every=3)


def test_a_checkpoint_of_old_is_no_run_to_go_on_with() -> None:
    with pytest.raises(ChangedRunError, match="older version; begin a new run with start=runs/one"):
        check_unchanged(None, config(), step=3, path=PATH)


def test_other_strips_and_other_processes_are_refused() -> None:
    split = Split(("a", "b"), ("c",))
    check_split(split, split)
    with pytest.raises(ChangedRunError, match="2 came, went or changed sides, such as b"):
        check_split(split, Split(("a",), ("b", "d", "c")))
    check_count(2, 2)
    with pytest.raises(ChangedRunError, match="begun by 2 processes and has 1 now"):
        check_count(2, 1)
