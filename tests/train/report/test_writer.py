import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge_daemon.errors import SourceError
from edge_daemon.simulation.strips import draw_strip
from train.report.gathering import RunFacts
from train.report.writer import ReportRequest, report_html, write_markdown, write_report

VOID = {"meta", "img", "link", "br"}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--enable-logging=stderr",
)


class Outline(HTMLParser):
    """Checks that tags are closed in order and gathers ids, links and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        self.ids += [fields["id"] or ""] if "id" in fields else []
        self.links += [v for k, v in attrs if k in ("href", "src") and v]
        if tag == "img":
            self.pictures.append(fields)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "path", "HTML has no such form, SVG has"
        assert not dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    parsed.close()
    assert parsed.open == []
    return parsed


def request(study: dict[str, RunFacts]) -> ReportRequest:
    return ReportRequest(tuple(study.values()), study["steel-nano"], "none")


def quiet(_line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def html(study: dict[str, RunFacts]) -> str:
    return report_html(request(study), draw=draw_strip, tell=quiet)


def test_every_link_leads_to_a_place_on_the_page_and_no_place_is_there_twice(html: str) -> None:
    parsed = outline(html)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.links
    assert all(link.startswith("#") and link[1:] in parsed.ids for link in parsed.links)


def test_the_page_has_each_of_its_parts_once(html: str, study: dict[str, RunFacts]) -> None:
    for heading in ("All runs", "Ablation", "Learning curve", "What the words mean", *study):
        assert html.count(f">{heading}</h2>") == 1


def test_the_same_runs_give_the_same_bytes(html: str, study: dict[str, RunFacts]) -> None:
    assert report_html(request(study), draw=draw_strip, tell=quiet) == html


def test_a_run_alone_needs_no_comparison(study: dict[str, RunFacts]) -> None:
    alone = ReportRequest((study["steel-nano"],), None, "none")
    html = report_html(alone, draw=draw_strip, tell=quiet)
    assert "What tells the runs apart" not in html
    assert "Ablation" not in html
    outline(html)


def test_a_page_with_held_out_pictures_says_on_which_terms(study: dict[str, RunFacts]) -> None:
    unfinished = ReportRequest((study["unfinished"],), None, "held-out")
    assert "not passed on" in report_html(unfinished, draw=draw_strip, tell=quiet)


def test_the_markdown_has_the_tables_that_compare(
    study: dict[str, RunFacts], tmp_path: Path
) -> None:
    out = tmp_path / "docs" / "report.md"
    write_markdown(request(study), out)
    text = out.read_text("utf-8")
    for caption in ("Runs on strips", "What each choice brings", "More data"):
        assert text.count(f"**{caption}") == 1


def test_a_place_that_can_not_be_written_to_is_named(
    study: dict[str, RunFacts], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="--out"):
        write_report(request(study), tmp_path / "file" / "report.html", draw=draw_strip, tell=quiet)


def browse(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page as a real browser has it, and what stands on its console."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here")
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=55)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_shows_the_page_without_complaint(html: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(html, "utf-8")
    dom, console = browse(page, tmp_path / "profile")
    assert console == []
    assert dom.count("<figure") == html.count("<figure")
    assert dom.count("<svg") == html.count("<svg")
    assert dom.count("<tr>") == html.count("<tr>")


def test_a_browser_complains_where_the_page_breaks_its_own_policy(
    html: str, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    broken = html.replace("<main>", '<main><p style="color:red">x</p><img src="file:///x.png">')
    page.write_text(broken, "utf-8")
    _, console = browse(page, tmp_path / "profile")
    assert len(console) >= 2
