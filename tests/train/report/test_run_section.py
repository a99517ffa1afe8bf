from dataclasses import replace

from train.report.cases import CasePicture
from train.report.gathering import RunFacts
from train.report.run_section import run_section


def test_a_run_that_was_not_judged_names_the_verb(study: dict[str, RunFacts]) -> None:
    html = "".join(run_section(study["unfinished"], [], anchor="run-1").parts)
    assert "python -m train tune" in html
    assert "Training" in html


def test_a_judged_run_has_charts_tables_and_pictures(study: dict[str, RunFacts]) -> None:
    picture = CasePicture("missed: pitting", "strip with pitting", b"\xff\xd8")
    html = "".join(run_section(study["steel-nano"], [picture], anchor="run-1").parts)
    for expected in (
        "Pixels: precision over recall",
        "Recall by class",
        "False alarms",
        "Thresholds and minimum areas",
        "Worst cases",
        "missed: pitting",
    ):
        assert expected in html


def test_warnings_are_shown_and_not_too_many_of_them(study: dict[str, RunFacts]) -> None:
    warned = replace(study["steel-nano"], warnings=tuple((n, f"collapse {n}") for n in range(8)))
    html = "".join(run_section(warned, [], anchor="run-1").parts)
    assert "Step 4: collapse 4" in html
    assert "collapse 5" not in html
    assert "And 3 more warnings." in html
