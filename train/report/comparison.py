"""Which settings tell runs apart, which runs make a learning curve, which an ablation."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from train.config import RunConfig
from train.report.gathering import RunFacts

SHARE = "data.training_share"
WITHOUT_EFFECT = frozenset(
    (
        "data.root",
        "threads",
        "evaluate_every",
        "checkpoint_every",
        "optim.device",
        "optim.channels_last",
        "optim.compile",
    )
)
"""Settings that say where and how a run went, not what was to come of it."""
MOST_CHANGES = 6
"""Settings in which a run may differ from the baseline and still be told as its variation."""


def flat_config(config: RunConfig) -> dict[str, str]:
    """Settings as `section.key` -> value, written as in TOML."""
    flat: dict[str, str] = {}

    def walk(table: Mapping[str, object], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = _as_toml(value)

    walk(config.model_dump(mode="json"), "")
    return flat


def _as_toml(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def outcome_settings(config: RunConfig) -> dict[str, str]:
    """Settings that decide what comes of a run."""
    return {k: v for k, v in flat_config(config).items() if k not in WITHOUT_EFFECT}


def differing_settings(configs: Sequence[RunConfig]) -> dict[str, tuple[str, ...]]:
    """Setting -> its value in each run, for those that are not the same in all; absent ones "-"."""
    flat = [outcome_settings(config) for config in configs]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = {key: tuple(one.get(key, "-") for one in flat) for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def usual_value(values: Sequence[str]) -> str | None:
    """What most runs have; None where no value is in at least half of them."""
    value, count = Counter(values).most_common(1)[0]
    return value if 2 * count >= len(values) and count > 1 else None


def changes(baseline: RunConfig, other: RunConfig) -> dict[str, tuple[str, str]]:
    """Setting -> (the baseline's value, the other's), where they differ."""
    differing = differing_settings((baseline, other))
    return {key: (values[0], values[1]) for key, values in differing.items()}


def variations(
    baseline: RunFacts, runs: Sequence[RunFacts]
) -> list[tuple[RunFacts, dict[str, tuple[str, str]]]]:
    """Runs that differ from the baseline in few settings, with those settings."""
    found = [(run, changes(baseline.config, run.config)) for run in runs if run is not baseline]
    return [(run, changed) for run, changed in found if 0 < len(changed) <= MOST_CHANGES]


def learning_curves(runs: Sequence[RunFacts]) -> list[list[RunFacts]]:
    """Groups of runs that differ in nothing but how much they were trained on, least first."""
    groups: dict[str, list[RunFacts]] = defaultdict(list)
    for run in runs:
        settings = {k: v for k, v in outcome_settings(run.config).items() if k != SHARE}
        groups[json.dumps(settings, sort_keys=True)].append(run)
    ordered = (sorted(one, key=lambda r: r.config.data.training_share) for one in groups.values())
    return [one for one in ordered if len({r.config.data.training_share for r in one}) > 1]
