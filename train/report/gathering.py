"""What is known of runs, read from their folders: each part is there or isn't, none is made up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.complexity import Complexity, measure_complexity
from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig
from train.config import RunConfig
from train.judging.curves import Curves
from train.judging.scoring import Score
from train.judging.tuning import Tuning
from train.runs import HELD_OUT, Measured, RunFolder

LogEntry = Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class RunFacts:
    """A run as the page sees it.

    Attributes:
        name: of its folder, told from others of the same name by the folder around it.
        folder: where it lies.
        config: what it was started with.
        training_strips: real strips that it was trained on.
        held_out: names of the strips that it was not.
        log: figures by rising step.
        warnings: what training warned of, with the step.
        tuning: thresholds and what they were fitted on, once `tune` was run.
        measured: figures, once `eval` was run.
        curves: set of strips -> curves and figures of each strip, once `eval` was run.
        complexity: size of its network.
        strips_per_s: measured here and now, if it was.
    """

    name: str
    folder: RunFolder
    config: RunConfig
    training_strips: int
    held_out: frozenset[str]
    log: tuple[LogEntry, ...]
    warnings: tuple[tuple[int, str], ...]
    tuning: Tuning | None
    measured: Measured | None
    curves: Mapping[str, Curves]
    complexity: Complexity
    strips_per_s: float | None = None

    @property
    def headline(self) -> Score | None:
        """Held-out strips and clean stretches, thresholds fitted on other strips: the honest."""
        return None if self.measured is None else self.measured.cross_fitted.get(HELD_OUT)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of class 1, 2, ..."""
        return self.config.data.class_names

    @property
    def parameters(self) -> int:
        """Of its network."""
        return self.complexity.parameters

    @property
    def gflops(self) -> float:
        """Of its network, per strip."""
        return self.complexity.gflops

    @property
    def architecture(self) -> str:
        """The network in two words."""
        return architecture_name(self.config.network)


def gather(paths: Sequence[Path]) -> tuple[RunFacts, ...]:
    """Read runs, in the order given.

    Raises:
        RunError: a folder isn't a run, or what lies in it can't be read.
    """
    names = _names(paths)
    return tuple(_read(name, RunFolder(path)) for name, path in zip(names, paths, strict=True))


def architecture_name(config: NetworkConfig) -> str:
    """The network in two words."""
    match config:
        case EncoderUnetConfig():
            return f"U-Net on {config.encoder}, output stride {config.output_stride}"
        case UnetConfig():
            return f"U-Net (2015), {config.upsampling}"
        case FcnConfig():
            return f"FCN-{config.coarsest_stride}s, {config.upsampling}"


def by_step(log: Iterable[Mapping[str, Any]]) -> tuple[LogEntry, ...]:
    """Figures by rising step; of steps that were done again after a crash, the last."""
    latest = {entry["step"]: entry for entry in log if "step" in entry}
    return tuple(_figures_of(latest[step]) for step in sorted(latest))


def _figures_of(entry: Mapping[str, object]) -> LogEntry:
    return {name: value for name, value in entry.items() if isinstance(value, int | float)}


def _warnings(log: Iterable[Mapping[str, object]]) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, str]] = []
    for entry in log:
        step, told = entry.get("step"), entry.get("warnings")
        if isinstance(step, int) and isinstance(told, list):
            found += [(step, str(one)) for one in told]
    return tuple(found)


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of folders, with the folder around those that aren't the only ones of their name."""
    whole = [path.resolve() for path in paths]
    count = Counter(path.name for path in whole)
    return [p.name if count[p.name] == 1 else f"{p.parent.name}/{p.name}" for p in whole]


def _read(name: str, folder: RunFolder) -> RunFacts:
    config, split = folder.config(), folder.split()
    has_scores = (folder.path / "scores.json").is_file()
    return RunFacts(
        name=name,
        folder=folder,
        config=config,
        training_strips=len(split.training),
        held_out=frozenset(split.validation),
        log=by_step(folder.log()),
        warnings=_warnings(folder.log()),
        tuning=folder.tuning() if (folder.path / "tuning.json").is_file() else None,
        measured=folder.measured() if has_scores else None,
        curves=folder.curves() if has_scores else {},
        complexity=measure_complexity(config.network),
    )
