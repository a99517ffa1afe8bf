"""`list`: the networks with their size and speed, or the runs in a folder."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edge_daemon.errors import ConfigurationError
from edge_daemon.inference.bundle import MANIFEST, load_bundle
from models.catalogue import catalogue
from models.complexity import measure_complexity
from models.config import NetworkConfig
from models.network import build_network
from models.speed import available_threads, compare_with_smp, strips_per_second
from train.cli.printing import console, error_console, print_json, say
from train.display import NetworkRow, RunRow, networks_table, runs_table, show_stages
from train.report.gathering import by_step
from train.runs import RunFolder, find_runs


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What was asked for.

    Attributes:
        speed: measure strips/s.
        beside_smp: measure beside smp's U-Net.
        as_json: for scripts.
    """

    speed: bool
    beside_smp: bool
    as_json: bool


def list_runs_and_print(folder: Path, *, as_json: bool) -> None:
    """Show the runs in a folder: how far each is, and its last validation.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder; name the one that your runs lie in")
    rows = [_run_row(run) for run in find_runs(folder)]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    console().print(runs_table(rows))
    if not rows:
        say(f"{folder}: no runs; `python -m train fit {folder}/NAME` makes one")


def _run_row(run: RunFolder) -> RunRow:
    log = by_step(run.log())
    scored = next((entry for entry in reversed(log) if "validation/dice" in entry), {})
    return RunRow(
        name=run.name,
        step=int(log[-1]["step"]) if log else 0,
        steps=run.config().optim.steps,
        dice=scored.get("validation/dice"),
        dice_positive=scored.get("validation/dice_positive"),
        false_alarms=scored.get("validation/false_alarms"),
    )


def list_and_print(names: Sequence[str], options: ListOptions) -> None:
    """Show networks of the catalogue, or those in the folders of bundles and runs.

    Raises:
        ConfigurationError: a name is neither.
    """
    sources = {name: _config_of(name) for name in names or catalogue()}
    with show_stages(error_console() if options.as_json else console()) as tell:
        rows = [
            _network_row(name, config, options, tell=tell, place=f"{number} of {len(sources)}")
            for number, (name, config) in enumerate(sources.items(), start=1)
        ]
    if options.as_json:
        print_json([asdict(row) for row in rows])
        return
    console().print(networks_table(rows))
    if options.speed or options.beside_smp:
        say(f"one strip at a time through ONNX Runtime on {available_threads()} CPU threads")
    if options.beside_smp:
        say("beside smp's U-Net on EfficientNet-B0 in eager PyTorch, measured turn and turn about")


def _config_of(name: str) -> NetworkConfig:
    """The network of this name, or that of a bundle or run; weights matter to no figure here."""
    known, folder = catalogue(), Path(name)
    if name in known:
        return known[name]
    if (folder / MANIFEST).is_file():
        shape = load_bundle(folder).manifest.provenance.architecture
        try:
            return TypeAdapter[NetworkConfig](NetworkConfig).validate_python(shape)
        except ValidationError as error:
            raise ConfigurationError(f"{folder}: of another version of the networks") from error
    if folder.is_dir():
        return RunFolder(folder).config().network
    raise ConfigurationError(
        f"{name}: neither a network nor a folder; `python -m train list` shows all networks"
    )


def _network_row(
    name: str,
    config: NetworkConfig,
    options: ListOptions,
    *,
    tell: Callable[[str], None],
    place: str,
) -> NetworkRow:
    tell(f"{name} ({place})")
    size = measure_complexity(config)
    row = NetworkRow(name, size.parameters, size.gflops, config.output_stride)
    if options.beside_smp:
        found = compare_with_smp(build_network(config).eval())
        return replace(row, strips_per_s=found.strips_per_s, times_smp=found.ratio)
    if options.speed:
        return replace(row, strips_per_s=strips_per_second(build_network(config).eval()))
    return row
