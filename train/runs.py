"""The folder of a run: what lies in it, and reading it back.

config.json     the resolved configuration
split.json      names of the training and validation strips
checkpoint.pt   everything needed to go on
log.jsonl       loss, rates and validation figures by step; events.* hold the same for TensorBoard
classes.json    thresholds and minimum areas, by `tune`
scores.json     figures on the validation strips and on simulated ones, by `eval`
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import ConfigurationError
from models.architecture import NetworkConfig, SteelNet, build_network
from train.checkpoint import load_checkpoint
from train.config import RunConfig
from train.scoring import Score
from train.split import Split

T = TypeVar("T")

VALIDATION = "validation"
SIMULATED = "simulated"
NAMES = ("pitting", "inclusion", "scratch", "patch")
SEVERITIES: tuple[Literal["minor", "major", "critical"], ...] = (
    "minor",
    "major",
    "major",
    "critical",
)


class RunError(ConfigurationError):
    """A run's folder lacks what a verb needs."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run on disk."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """File of the last saved state."""
        return self.path / "checkpoint.pt"

    def begin(self, config: RunConfig, split: Split) -> None:
        """Make the folder and note what the run is made of."""
        self.path.mkdir(parents=True, exist_ok=True)
        text = config.model_dump_json(indent=2)
        (self.path / "config.json").write_text(text + "\n", encoding="utf-8")
        self._write("split.json", asdict(split))

    def saved_config(self) -> Path | None:
        """File with the configuration that the run was last started with, if it was."""
        path = self.path / "config.json"
        return path if path.is_file() else None

    def config(self) -> RunConfig:
        """The configuration that the run was last started with."""
        return self._read("config.json", RunConfig, verb="fit")

    def split(self) -> Split:
        """Which strips it was trained on and which were held out."""
        return self._read("split.json", Split, verb="fit")

    def average(self) -> tuple[SteelNet, int]:
        """The averaged network of the last checkpoint, and the number of steps behind it."""
        state = load_checkpoint(self.checkpoint)
        network = build_network(NetworkConfig.model_validate(state["network_config"]))
        network.load_state_dict(state["average"]["network"])
        return network.eval(), int(state["step"])

    def classes(self) -> tuple[DefectClass, ...]:
        """Fitted classes."""
        return self._read("classes.json", tuple[DefectClass, ...], verb="tune")

    def scores(self) -> dict[str, Score]:
        """Set of strips -> measured figures."""
        return self._read("scores.json", dict[str, Score], verb="eval")

    def write_classes(self, classes: Sequence[DefectClass]) -> None:
        """Keep fitted classes."""
        self._write("classes.json", [asdict(one) for one in classes])

    def write_scores(self, scores: dict[str, Score]) -> None:
        """Keep measured figures."""
        self._write("scores.json", {name: asdict(score) for name, score in scores.items()})

    def log(self) -> list[dict[str, float]]:
        """Entries of the log, oldest first; a line cut short by a crash is left out."""
        return list(_json_lines(self.path / "log.jsonl"))

    def _write(self, name: str, content: object) -> None:
        text = json.dumps(content, indent=1)
        (self.path / name).write_text(text + "\n", encoding="utf-8")

    def _read(self, name: str, kind: type[T], *, verb: str) -> T:
        path = self.path / name
        try:
            return TypeAdapter(kind).validate_json(path.read_bytes())
        except OSError as error:
            raise RunError(
                f"{path}: {error.strerror}; run `python -m train {verb} {self.path}` first"
            ) from error
        except ValidationError as error:
            raise RunError(f"{path}: {error}") from error


def provisional_classes(count: int = len(NAMES)) -> tuple[DefectClass, ...]:
    """Classes with the plainest post-processing: more likely than not, any size."""
    return tuple(
        DefectClass(k + 1, NAMES[k], threshold=0.5, min_area_px=0, severity=SEVERITIES[k])
        for k in range(count)
    )


def _json_lines(path: Path) -> Iterator[dict[str, float]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def find_runs(folder: Path) -> list[RunFolder]:
    """The runs directly in a folder, by name."""
    return [RunFolder(path.parent) for path in sorted(folder.glob("*/config.json"))]
