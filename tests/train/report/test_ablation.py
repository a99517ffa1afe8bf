from dataclasses import replace

import pytest

from train.judging.figures import Prior
from train.report.ablation import held_out_strips, paired_differences
from train.report.gathering import RunFacts

PRIOR = Prior(0.53, (0.071, 0.020, 0.410, 0.064))


def test_differences_are_those_of_the_two_scores(study: dict[str, RunFacts]) -> None:
    old, new = study["steel-nano"], study["no-average"]
    found = paired_differences(
        held_out_strips(old.curves), held_out_strips(new.curves), prior=PRIOR
    )
    assert found is not None
    assert old.headline is not None
    assert new.headline is not None
    before, after = old.headline.figures(), new.headline.figures()
    for name in ("dice_original_mix", "dice_positive", "false_alarm_share", "detected_share"):
        assert found[name].value == pytest.approx(after[name] - before[name], abs=1e-9)
        assert found[name].interval.low <= found[name].value <= found[name].interval.high


def test_a_run_beside_itself_differs_by_nothing_at_all(study: dict[str, RunFacts]) -> None:
    strips = held_out_strips(study["half"].curves)
    found = paired_differences(strips, strips, prior=PRIOR)
    assert found is not None
    for difference in found.values():
        assert (difference.value, difference.interval.low, difference.interval.high) == (0, 0, 0)
        assert not difference.is_sure


def test_pairing_makes_the_interval_narrower_than_two_runs_by_themselves(
    study: dict[str, RunFacts],
) -> None:
    old, new = study["steel-nano"], study["half"]
    found = paired_differences(
        held_out_strips(old.curves), held_out_strips(new.curves), prior=PRIOR
    )
    assert found is not None
    assert old.headline is not None
    assert new.headline is not None
    paired = found["dice_positive"].interval
    apart = sum(
        one.intervals["dice_positive"].high - one.intervals["dice_positive"].low
        for one in (old.headline, new.headline)
    )
    assert paired.high - paired.low < apart


def test_runs_on_other_strips_are_not_paired(study: dict[str, RunFacts]) -> None:
    strips = held_out_strips(study["steel-nano"].curves)
    name, first = next(iter(strips.items()))
    fewer = {key: one for key, one in strips.items() if key != name}
    relabelled = strips | {name: replace(first, truth=tuple(n + 1 for n in first.truth))}
    assert paired_differences(strips, fewer, prior=PRIOR) is None
    assert paired_differences(strips, relabelled, prior=PRIOR) is None
    assert paired_differences({}, {}, prior=PRIOR) is None
