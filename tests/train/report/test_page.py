import base64
import hashlib
import re

from train.report.page import Section, charts_html, heading, page_html, paragraph, picture_html
from train.report.plots import Axis, Chart

HOSTILE = '</style><script>alert(1)</script>"'


def page(**parts: str) -> str:
    section = Section("runs", parts.get("title", "Runs"), (paragraph("x"),))
    return page_html("Title", {"runs": "1"}, [section], css="a{}", class_count=2)


def test_only_its_own_style_may_apply_and_nothing_may_be_fetched() -> None:
    html = page()
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert not re.search(r"(https?:)?//\w", html)


def test_every_section_can_be_reached_from_the_contents() -> None:
    assert "<a href=#runs>Runs</a>" in page()
    assert "<section id=runs " in page()


def test_names_never_write_the_page() -> None:
    html = page(title=HOSTILE) + heading(HOSTILE) + paragraph(HOSTILE)
    html += picture_html(b"", HOSTILE, HOSTILE)
    assert "<script" not in html


def test_a_chart_without_values_is_left_out() -> None:
    assert charts_html([Chart("t", Axis("x"), Axis("y"), ())]) == ""


def test_a_picture_is_inside_the_page() -> None:
    html = picture_html(b"\xff\xd8jpeg", "a case", "what it shows")
    assert base64.b64encode(b"\xff\xd8jpeg").decode() in html
    assert 'alt="what it shows"' in html
