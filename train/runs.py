"""The folder of a run: what lies in it, and reading it back.

config.json           the resolved configuration                                        by `fit`
split.json            names of the training and validation strips                       by `fit`
checkpoint.pt         everything needed to go on                                        by `fit`
log.jsonl             loss, rates and validation figures by step; events.* hold the
                      same for TensorBoard                                              by `fit`
predictions.SET.npz   the averaged network's answers to a set of strips                 by `tune`
tuning.json           `Tuning`: thresholds, minimum areas, and how they were found      by `tune`
scores.json           `Measured`: every figure, with intervals                          by `eval`
curves.json           {set: `Curves`}: precision against recall, figures per strip      by `eval`

The sets: `validation` are the held-out real strips; `clean_stretches` are strips put together from
their defect-free stretches, because whole clean strips are few; `held_out` is the two together,
the fairest ground for false alarms; `simulated` are simulated ones.

What `tune` and `eval` write names the weights it was found with, so that nothing found with an
earlier checkpoint is taken for the present one's.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import ConfigurationError
from models.config import NetworkConfig
from models.network import SteelNet, build_network
from train.checkpoint import load_checkpoint
from train.config import DataConfig, RunConfig
from train.data.split import Split
from train.judging.curves import Curves
from train.judging.scoring import Score
from train.judging.tuning import Tuning

T = TypeVar("T")

VALIDATION = "validation"
CLEAN_STRETCHES = "clean_stretches"
HELD_OUT = "held_out"
SIMULATED = "simulated"


class RunError(ConfigurationError):
    """A run's folder lacks what a verb needs."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What `eval` found.

    Attributes:
        weights_sha256: of the averaged weights that were judged.
        step: optimiser steps behind them.
        classes: the thresholds and areas that were judged.
        fitted: set -> figures with these. They were fitted on the held-out strips, so the figures
            of those sets flatter.
        cross_fitted: set -> figures with thresholds that were fitted on other strips: the honest
            ones. The simulated set isn't here: nothing was fitted on it.
    """

    weights_sha256: str
    step: int
    classes: tuple[DefectClass, ...]
    fitted: dict[str, Score]
    cross_fitted: dict[str, Score]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run on disk."""

    path: Path

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.resolve().name

    @property
    def checkpoint(self) -> Path:
        """File of the last saved state."""
        return self.path / "checkpoint.pt"

    def begin(self, config: RunConfig, split: Split) -> None:
        """Make the folder and note what the run is made of."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._write("config.json", config.model_dump(mode="json"))
        self._write("split.json", asdict(split))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Make the folder, and keep any other process from training in it meanwhile.

        Raises:
            RunError: it can't be made or written, or another process trains in it.
        """
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock = held.enter_context((self.path / "lock").open("w", encoding="utf-8"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"{self.path}: another process is training in this folder"
                ) from error
            except OSError as error:
                raise RunError(
                    f"{self.path}: {error.strerror}; name a folder that can be made and written"
                ) from error
            yield

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
        """The averaged network of the last checkpoint, and the number of steps behind it.

        Raises:
            RunError: there is no checkpoint yet.
            CheckpointError: it can't be read.
        """
        if not self.checkpoint.is_file():
            raise RunError(f"{self.checkpoint}: not there; run `python -m train fit {self.path}`")
        state = load_checkpoint(self.checkpoint)
        config: NetworkConfig = TypeAdapter(NetworkConfig).validate_python(state["network_config"])
        network = build_network(config)
        network.load_state_dict(state["average"]["network"])
        return network.eval(), int(state["step"])

    def tuning(self) -> Tuning:
        """How thresholds and areas were fitted."""
        return self._read("tuning.json", Tuning, verb="tune")

    def classes(self) -> tuple[DefectClass, ...]:
        """Fitted classes."""
        return self.tuning().fit.classes

    def measured(self) -> Measured:
        """Every figure."""
        return self._read("scores.json", Measured, verb="eval")

    def scores(self) -> dict[str, Score]:
        """Set of strips -> figures with the run's own thresholds."""
        return self.measured().fitted

    def curves(self) -> dict[str, Curves]:
        """Set of strips -> curves and figures per strip."""
        return self._read("curves.json", dict[str, Curves], verb="eval")

    def write_tuning(self, tuning: Tuning) -> None:
        """Keep fitted thresholds and areas."""
        self._write("tuning.json", asdict(tuning))

    def write_measured(self, measured: Measured) -> None:
        """Keep measured figures."""
        self._write("scores.json", asdict(measured))

    def write_curves(self, curves: Mapping[str, Curves]) -> None:
        """Keep what a report draws."""
        self._write("curves.json", {name: asdict(one) for name, one in curves.items()}, indent=None)

    def log(self) -> list[dict[str, float]]:
        """Entries of the log, oldest first; a line cut short by a crash is left out."""
        return list(_json_lines(self.path / "log.jsonl"))

    def _write(self, name: str, content: object, *, indent: int | None = 1) -> None:
        """Put a file in place of the old one; at any moment one of them is whole."""
        path = self.path / name
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")
        draft.replace(path)

    def _read(self, name: str, kind: type[T], *, verb: str) -> T:
        path = self.path / name
        try:
            return TypeAdapter(kind).validate_json(path.read_bytes())
        except OSError as error:
            raise RunError(
                f"{path}: {error.strerror}; run `python -m train {verb} {self.path}` first"
            ) from error
        except ValidationError as error:
            raise RunError(
                f"{path}: {error}; if an older release wrote it, run `python -m train {verb} "
                f"{self.path}` again"
            ) from error


def weights_sha256(network: SteelNet) -> str:
    """SHA-256 over the names and values of a network's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def provisional_classes(data: DataConfig) -> tuple[DefectClass, ...]:
    """Classes with the plainest post-processing: more likely than not, any size."""
    return tuple(
        DefectClass(number, name, threshold=0.5, min_area_px=0, severity=severity)
        for number, (name, severity) in enumerate(
            zip(data.class_names, data.severities, strict=True), start=1
        )
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
