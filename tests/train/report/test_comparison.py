from pathlib import Path

from train.config import RunConfig
from train.report.comparison import (
    changes,
    differing_settings,
    flat_config,
    learning_curves,
    usual_value,
    variations,
)
from train.report.gathering import RunFacts

PLAIN = RunConfig()
DEEPER = RunConfig.model_validate({"network": {"encoder": "efficientnet_b0"}, "seed": 2})


def test_only_what_differs_is_told() -> None:
    assert differing_settings([PLAIN, DEEPER]) == {
        "seed": ("1", "2"),
        "network.encoder": ("efficientnet_lite0", "efficientnet_b0"),
    }


def test_where_a_run_was_made_makes_it_no_other_run() -> None:
    elsewhere = RunConfig.model_validate({"threads": 7, "data": {"root": Path("/elsewhere")}})
    assert changes(PLAIN, elsewhere) == {}
    assert "data.root" in flat_config(elsewhere)


def test_a_setting_that_one_architecture_lacks_is_a_difference() -> None:
    other = RunConfig.model_validate({"network": {"architecture": "unet"}})
    assert changes(PLAIN, other)["network.depth"] == ("-", "4")


def test_a_learning_curve_is_made_of_runs_that_differ_in_nothing_else(
    study: dict[str, RunFacts],
) -> None:
    [group] = learning_curves(list(study.values()))
    assert [run.name for run in group] == ["quarter", "half", "steel-nano"]
    assert learning_curves([study["steel-nano"], study["steel-small"]]) == []


def test_a_run_with_another_architecture_is_no_variation(study: dict[str, RunFacts]) -> None:
    found = variations(study["steel-nano"], list(study.values()))
    assert {run.name: changed for run, changed in found} == {
        "steel-small": {"network.encoder": ("efficientnet_lite0", "efficientnet_b0")},
        "no-average": {"optim.ema_decay": ("0.998", "0.0")},
        "quarter": {"data.training_share": ("1.0", "0.25")},
        "half": {"data.training_share": ("1.0", "0.5")},
    }


def test_the_usual_value_is_that_of_most_runs() -> None:
    assert usual_value(["a", "a", "b"]) == "a"
    assert usual_value(["a", "b", "c"]) is None
