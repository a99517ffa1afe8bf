from dataclasses import replace

from edge_daemon.core.records import Verdict
from edge_daemon.report.entries import blind_row, card, chip, clean_item, list_head, list_tail
from tests.edge_daemon.report.records import DEFECT, blind, clean, defective


def test_a_card_has_pixels_where_no_millimetres_are_known_and_else_millimetres() -> None:
    plain = card("a.png", defective(0), number=1, picture=None, bare=None)
    assert "8 x 30 px" in plain
    assert "120 px" in plain
    known = replace(
        DEFECT, position_mm=1500.0, across_mm=20.0, length_mm=4.0, width_mm=15.0, area_mm2=30.0
    )
    placed = card("a.png", defective(0, known), number=1, picture=None, bare=None)
    assert "4.0 x 15.0 mm" in placed
    assert "1.500 m" in placed


def test_a_card_carries_the_worst_severity_and_all_classes() -> None:
    record = defective(0, DEFECT, replace(DEFECT, id="d2", class_id=1, severity="critical"))
    html = card("a.png", record, number=7, picture="overlays/7.jpg", bare="overlays/7-bare.jpg")
    assert 'data-c="1 3"' in html
    assert "data-rank=2" in html
    assert 'src="overlays/7.jpg"' in html


def test_entries_name_their_file_and_never_let_it_write_the_page() -> None:
    hostile = '"><script>alert(1)</script>'
    for html in (
        card(hostile, defective(0), number=1, picture=None, bare=None),
        blind_row(hostile, replace(blind(0), reason=hostile, coil=hostile), number=1),
        clean_item(hostile, clean(0), number=1),
        chip(1, hostile),
    ):
        assert "<script" not in html
        assert "&lt;script" in html


def test_a_frame_without_any_place_is_listed_by_its_file() -> None:
    html = blind_row("broken.png", blind(None, "unreadable"), number=3)
    assert "broken.png" in html
    assert "can&#x27;t be read" in html


def test_a_list_says_when_it_is_not_complete() -> None:
    assert "10 of them are listed" in list_head(Verdict.CLEAN, 25, 10)
    assert "listed" not in list_head(Verdict.CLEAN, 10, 10)
    for verdict in Verdict:
        html = list_head(verdict, 1, 1) + list_tail(verdict)
        for tag in ("section", "ul", "details", "div"):
            assert html.count(f"<{tag}") == html.count(f"</{tag}")
