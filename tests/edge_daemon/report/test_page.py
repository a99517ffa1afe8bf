import base64
import hashlib

from edge_daemon.core.records import FrameRecord
from edge_daemon.report.page import class_rules, figures, filters, head, map_cell, masthead, tail
from edge_daemon.report.tally import Tally
from tests.edge_daemon.report.records import blind, clean, defective


def tally_of(*records: FrameRecord) -> Tally:
    tally = Tally()
    for number, record in enumerate(records, 1):
        tally.add(record, number)
    return tally


def test_only_this_script_and_this_style_may_run_and_nothing_may_be_fetched() -> None:
    html = head("x", css="a{}", script="1;")
    for content in ("a{}", "1;"):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in html
    assert "default-src 'none'" in html
    assert "http:" not in html
    assert "https:" not in html


def test_the_head_of_the_page_never_calls_a_run_complete_that_has_gaps() -> None:
    assert "Every frame was inspected." in figures(tally_of(clean(0), defective(1)))
    for tally in (tally_of(clean(0), blind(1)), tally_of(clean(0), clean(2)), Tally()):
        html = figures(tally)
        assert "Every frame was inspected." not in html
        assert "inspected" in html


def test_defects_are_counted_by_class_and_reasons_by_frames() -> None:
    html = figures(tally_of(defective(0), defective(1), blind(2), blind(3)))
    assert "scratch" in html
    assert "it waited too long" in html
    assert "<td>2</td>" in html


def test_a_run_that_was_broken_off_says_so() -> None:
    assert "broken off" in masthead("x", {}, complete=False)
    assert "broken off" not in masthead("x", {}, complete=True)


def test_titles_and_facts_are_text() -> None:
    html = masthead("<b>x", {"<i>k": "<i>v"}, complete=True) + head("<b>x", css="", script="")
    assert "<b>" not in html
    assert "<i>" not in html


def test_a_cell_links_only_to_a_frame_that_is_listed() -> None:
    tally = tally_of(defective(0), clean(2))
    cells = list(tally.cells(tally.lanes[0], per_cell=1))
    html = [map_cell(cell, tally.class_names, listed=cell.frame == 1) for cell in cells]
    assert [' href="#f1"' in cell for cell in html] == [True, False, False]
    assert "scratch" in html[0]
    assert "not inspected" in html[1]


def test_there_is_a_button_for_each_verdict_and_class() -> None:
    html = filters({1: "pitting", 3: "<scratch>"})
    assert html.count("<button") == 6
    assert "&lt;scratch&gt;" in html


def test_classes_have_their_colour_in_the_style() -> None:
    assert class_rules([1, 2]).count("--class:#") == 2


def test_the_tail_ends_the_page() -> None:
    assert "".join(tail("1;")).rstrip().endswith("</html>")
