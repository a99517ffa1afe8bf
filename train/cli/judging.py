"""`tune`, `eval` and `export`: from a trained run to figures and a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from edge_daemon.simulation.strips import draw_strip
from train.cli.printing import console, error_console, print_json, say
from train.display import class_table, score_table, sets_table, show_stages, trade_off_table
from train.judging.scoring import Score
from train.judging.settings import Objective
from train.measuring import judge_bundle, judge_run, tune_runs
from train.packing import pack
from train.report.results import SET_NAMES
from train.runs import CLEAN_STRETCHES, HELD_OUT, SIMULATED, RunFolder

CROSS_FITTED, OWN = "thresholds fitted on other strips", "its own thresholds"
BUNDLE = "the bundle's thresholds"
HEADLINES = ((CROSS_FITTED, HELD_OUT), (OWN, SIMULATED), (BUNDLE, HELD_OUT), (BUNDLE, SIMULATED))
"""Kinds of thresholds and sets that are told class by class; of the others, main figures only."""
SHORT_NAMES = {HELD_OUT: "the two together", CLEAN_STRETCHES: "clean stretches"}


def tune_and_print(runs: Sequence[Path], *, objective: Objective, budget: float) -> None:
    """Fit thresholds and areas, and show them."""
    folders = [RunFolder(path) for path in runs]
    with show_stages(console()) as tell:
        tuning = tune_runs(folders, objective=objective, budget=budget, tell=tell)
    found = tuning.fit
    console().print(class_table(found.classes))
    console().print(trade_off_table(found.trade_off, chosen=found.price))
    pooled = "" if len(runs) == 1 else f" of {len(runs)} runs"
    if found.objective == "alarms" and not found.keeps_budget:
        say(
            f"no setting keeps to a budget of {100 * found.budget:g} % on strips left out of the "
            "fit; the nearest was taken. Train with more clean strips, or raise --budget",
        )
    say(
        f"fitted for {found.objective} on {found.strips} held-out strips{pooled}, "
        f"{found.clean_strips} of them clean or put together from clean stretches"
    )


def judge_and_print(run: Path, bundle: Path | None, *, simulated: int, as_json: bool) -> None:
    """Measure a run, or a bundle on a run's strips, and show every figure with its interval."""
    folder = RunFolder(run)
    names = folder.config().data.class_names
    scores: dict[str, Mapping[str, Score]]
    with show_stages(error_console() if as_json else console()) as tell:
        if bundle is None:
            measured = judge_run(folder, draw_strip, simulated=simulated, tell=tell)
            scores = {CROSS_FITTED: measured.cross_fitted, OWN: measured.fitted}
        else:
            judged = judge_bundle(bundle, folder, draw_strip, simulated=simulated, tell=tell)
            scores = {BUNDLE: judged}
    if as_json:
        print_json({kind: _as_json(sets) for kind, sets in scores.items()})
        return
    if bundle is None:
        for line in _blind(folder):
            say(line)
    for kind, where in HEADLINES:
        if where in scores.get(kind, {}):
            title = f"{SET_NAMES[where].capitalize()}, {kind}"
            console().print(score_table(title, scores[kind][where], names))
    for kind, sets in scores.items():
        named = {SHORT_NAMES.get(where, SET_NAMES[where]): score for where, score in sets.items()}
        console().print(sets_table(kind.capitalize(), named))


def _as_json(sets: Mapping[str, Score]) -> dict[str, object]:
    return {
        where: {
            "figures": score.figures(),
            "intervals": {name: asdict(one) for name, one in score.intervals.items()},
        }
        for where, score in sets.items()
    }


def _blind(folder: RunFolder) -> list[str]:
    """Classes that a run reports on none of the held-out strips that have them, told loudly."""
    measured = folder.measured()
    classes = zip(measured.classes, measured.fitted[HELD_OUT].classes, strict=True)
    return [
        f"WARNING: it finds {defect_class.name} on none of the {one.strips} held-out strips that "
        "have it; train longer, or with more such strips, before anyone relies on it"
        for defect_class, one in classes
        if one.strips and not one.found
    ]


def pack_and_print(run: Path, folder: Path, *, name: str, version: str, commit: str | None) -> None:
    """Write a bundle and say what it has become."""
    bundle = pack(RunFolder(run), folder, name=name, version=version, commit=commit)
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    say(f"{folder}: {size_mb:.1f} MB, fingerprint {bundle.fingerprint[:16]}")
    for line in _blind(RunFolder(run)):
        say(line)
