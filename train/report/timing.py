"""How fast the networks of runs are here and now, one after the other on this CPU."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.network import build_network
from models.speed import strips_per_second
from train.report.gathering import RunFacts


def timed(runs: Sequence[RunFacts], *, tell: Callable[[str], None]) -> tuple[RunFacts, ...]:
    """The same runs with strips/s; runs with the same network share one measurement."""
    speeds: dict[str, float] = {}
    for run in runs:
        key = run.config.network.model_dump_json()
        if key not in speeds:
            tell(f"{run.name}: timing its network")
            speeds[key] = strips_per_second(build_network(run.config.network).eval())
    return tuple(
        replace(run, strips_per_s=speeds[run.config.network.model_dump_json()]) for run in runs
    )
