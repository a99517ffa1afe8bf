import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.core.records import ClassMask
from edge_daemon.errors import SourceError
from edge_daemon.report.writer import ReportWriter
from tests.edge_daemon.report.records import DEFECT, blind, clean, defective

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>".png'
GREY = np.random.default_rng(1).integers(0, 256, (64, 128), dtype=np.uint8)
VOID = {"meta", "input", "img", "link", "br"}


class Outline(HTMLParser):
    """Checks that tags are closed in order and gathers ids and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        self.scripts += tag == "script"
        if fields.get("id"):
            self.ids.append(fields["id"] or "")
        self.links += [v for k, v in attrs if k in ("href", "src", "data-bare") and v]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def mask() -> ClassMask:
    mask = np.zeros_like(GREY)
    mask[12:16, 45:65] = 3
    return mask


def write(directory: Path, mask: ClassMask) -> str:
    with ReportWriter(directory, facts={"bundle": "b 1"}) as report:
        report.add("a.png", clean(0))
        report.add("b.png", defective(1), image=GREY, mask=mask)
        report.add("c.png", blind(2))
        report.add(HOSTILE, blind(None, "unreadable"))
        report.add(HOSTILE, defective(5), image=GREY, mask=mask)
        report.add("last\udcff\n.png", clean(6))
    return (directory / "index.html").read_text("utf-8")


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    parsed.close()
    assert parsed.open == []
    return parsed


def test_every_frame_is_on_the_page_and_every_link_leads_somewhere(
    tmp_path: Path, mask: ClassMask
) -> None:
    parsed = outline(write(tmp_path / "report", mask))
    assert {f"f{n}" for n in range(1, 7)} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    for link in parsed.links:
        if link.startswith("#"):
            assert link[1:] in parsed.ids
        else:
            assert (tmp_path / "report" / link).read_bytes().startswith(b"\xff\xd8")
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["index.html", "overlays"]
    assert len(list((tmp_path / "report" / "overlays").iterdir())) == 4


def test_names_never_write_the_page(tmp_path: Path, mask: ClassMask) -> None:
    html = write(tmp_path, mask)
    assert outline(html).scripts == 1
    assert "&lt;script&gt;document.title" in html
    assert "onerror=alert(1)>" not in html


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path, mask: ClassMask) -> None:
    html = write(tmp_path, mask)
    assert not re.search(r"(https?:)?//\w", html)
    assert "@import" not in html
    assert "url(" not in html


def test_the_same_frames_give_the_same_bytes(tmp_path: Path, mask: ClassMask) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, mask)
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert first == second


def test_a_second_report_replaces_the_first_and_touches_nothing_else(
    tmp_path: Path, mask: ClassMask
) -> None:
    write(tmp_path, mask)
    (tmp_path / "overlays" / "mine.jpg").write_bytes(b"mine")
    with ReportWriter(tmp_path) as report:
        report.add("a.png", clean(0))
    assert [p.name for p in (tmp_path / "overlays").iterdir()] == ["mine.jpg"]
    assert "b.png" not in (tmp_path / "index.html").read_text("utf-8")


def test_pictures_are_bounded_and_the_worst_defects_get_the_last_ones(tmp_path: Path) -> None:
    minor, major, critical = (
        defective(0, replace(DEFECT, severity=s)) for s in ("minor", "major", "critical")
    )
    with ReportWriter(tmp_path, max_pictures=10) as report:
        for n, record in enumerate([minor] * 20 + [major] * 20 + [critical] * 20):
            report.add(f"{n}.png", replace(record, seq=n), image=GREY)
    drawn = sorted(int(p.stem) for p in (tmp_path / "overlays").glob("[0-9]*[0-9].jpg"))
    assert drawn == [1, 2, 3, 4, 5, 21, 22, 23, 41, 42]
    html = (tmp_path / "index.html").read_text("utf-8")
    assert html.count("Not drawn.") == 50
    outline(html)


def test_more_frames_than_a_page_can_hold_are_counted_but_not_all_listed(tmp_path: Path) -> None:
    with ReportWriter(tmp_path) as report:
        for n in range(45_000):
            report.add("line.mcap", clean(n))
    html = (tmp_path / "index.html").read_text("utf-8")
    assert "<b>45,000</b>" in html
    assert "20000 of them are listed" in html
    assert "each cell is 3 frames" in html
    assert html.count("class=cell ") < 20_000
    assert len(html) < 10_000_000


def test_a_run_that_failed_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    def fail() -> None:
        with ReportWriter(tmp_path) as report:
            report.add("a.png", clean(0))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    html = (tmp_path / "index.html").read_text("utf-8")
    assert "broken off" in html
    assert "a.png" in html


def test_a_run_without_frames_is_not_called_inspected(tmp_path: Path) -> None:
    with ReportWriter(tmp_path):
        pass
    html = (tmp_path / "index.html").read_text("utf-8")
    assert "nothing was inspected" in html
    outline(html)


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="can't be written"), ReportWriter(tmp_path / "file"):
        pass


def dump_dom(page: Path, profile: Path) -> str:
    """The page as a real browser has it after its script ran."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    command += ["--disable-component-update", f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run(
        [*command, page.as_uri()], check=True, capture_output=True, text=True, timeout=50
    )
    return done.stdout


def test_a_browser_shows_the_cards_and_runs_the_filters_but_no_foreign_script(
    tmp_path: Path, mask: ClassMask
) -> None:
    write(tmp_path / "report", mask)
    dom = dump_dom(tmp_path / "report" / "index.html", tmp_path / "profile")
    assert dom.count('<article class="card entry"') == 2
    assert '<nav id="filters" aria-label="Filter">' in dom, "the script shows the filters"
    assert "6 of 6 listed" in dom
    assert "<title>Inspection report</title>" in dom
