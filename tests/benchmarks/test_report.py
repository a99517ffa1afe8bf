import json
from io import StringIO

import pytest

from benchmarks.machine import Machine
from benchmarks.pairs import Comparison
from benchmarks.report import Findings, Report


@pytest.fixture
def report() -> Report:
    return Report(
        "networks",
        "strip",
        {"threads": 2},
        Machine("Some CPU", 2, 0.5, "3.11.1", {"numpy": "2.0"}),
        (Comparison("ours", "theirs", (0.5, 0.5), (1.0, 2.0), "odd"),),
        (Findings("Seams", ("way", "pieces"), (("cut + stitch", "1"),)),),
        ("a note",),
    )


def test_json_has_the_ratio_and_the_seconds_it_was_made_from(report: Report) -> None:
    fields = json.loads(report.to_json())

    (comparison,) = fields["comparisons"]
    assert comparison["ratio"] == pytest.approx(3.0)
    assert (comparison["lowest"], comparison["highest"]) == pytest.approx((2.0, 4.0))
    assert comparison["peer_s"] == [1.0, 2.0]
    assert fields["machine"]["versions"] == {"numpy": "2.0"}


def test_people_see_median_spread_machine_and_findings(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = StringIO()

    report.print(out)

    text = out.getvalue()
    for expected in ("3.00", "2.00..4.00", "Some CPU", "threads 2", "cut + stitch", "a note"):
        assert expected in text
