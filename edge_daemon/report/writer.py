"""Writes a report: a page that opens from the disk, with its pictures beside it.

    DIRECTORY/index.html
    DIRECTORY/overlays/000012.jpg        frame 12 with its defects marked
    DIRECTORY/overlays/000012-bare.jpg   the same without

The page needs no network and no server. Frames are written as they come, only counts
stay in memory.
"""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.records import ClassMask, FrameRecord, Verdict
from edge_daemon.errors import SourceError
from edge_daemon.report import entries, page
from edge_daemon.report.overlay import draw_overlay, shrink
from edge_daemon.report.tally import Tally

MAX_PICTURES = 500
MAX_LISTED = 20_000
MAX_CELLS = 20_000
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 88)
_OURS = re.compile(r"\d{6,}(-bare)?\.jpg")
# Share of the pictures that may be used up before a severity goes without; the worst get the rest.
_BUDGET = {"minor": 0.5, "major": 0.8, "critical": 1.0}

_Text: TypeAlias = IO[str]


class ReportWriter:
    """Takes frame after frame and leaves a page behind; a context manager.

    What is in the directory from an earlier report is replaced, nothing else is touched.

    Args:
        directory: where to write; it is made if it isn't there.
        title: heading of the page.
        facts: what it was made with, by name: the bundle, the input.
        max_pictures: how many frames are drawn at most.
    """

    def __init__(
        self,
        directory: Path,
        *,
        title: str = "Inspection report",
        facts: Mapping[str, str] | None = None,
        max_pictures: int = MAX_PICTURES,
    ) -> None:
        self._directory = directory
        self._title = title
        self._facts = dict(facts or {})
        self._max_pictures = max_pictures
        self._tally = Tally()
        self._lists: dict[Verdict, _Text] = {}
        self._listed: Counter[Verdict] = Counter()
        self._last_listed: dict[Verdict, int] = {}
        self._number = 0
        self._pictures = 0
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Make the directory and clear what an earlier report left there.

        Raises:
            SourceError: it can't be written to.
        """
        with self._disk_errors(), ExitStack() as exits:
            self._overlays.mkdir(parents=True, exist_ok=True)
            for path in self._overlays.iterdir():
                if _OURS.fullmatch(path.name):
                    path.unlink()
            for verdict in Verdict:
                self._lists[verdict] = exits.enter_context(_scratch(self._directory))
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._disk_errors(), self._exits:
            self._write_page(complete=error is None)

    def add(
        self,
        source: str,
        record: FrameRecord,
        *,
        image: GreyImage | None = None,
        mask: ClassMask | None = None,
    ) -> None:
        """Take a frame.

        Args:
            source: name of its file or recording; may hold anything.
            record: its verdict.
            image: (H, W) grey; without it a defective frame is listed but not drawn.
            mask: (H, W) class ids.

        Raises:
            SourceError: the disk doesn't take it.
        """
        self._number += 1
        self._tally.add(record, self._number)
        if self._listed[record.verdict] >= MAX_LISTED:
            return
        self._listed[record.verdict] += 1
        self._last_listed[record.verdict] = self._number
        with self._disk_errors():
            self._lists[record.verdict].write(self._entry(source, record, image, mask))

    @property
    def _overlays(self) -> Path:
        return self._directory / "overlays"

    def _entry(
        self, source: str, record: FrameRecord, image: GreyImage | None, mask: ClassMask | None
    ) -> str:
        match record.verdict:
            case Verdict.CLEAN:
                return entries.clean_item(source, record, number=self._number)
            case Verdict.NOT_INSPECTED:
                return entries.blind_row(source, record, number=self._number)
            case Verdict.DEFECTIVE:
                picture, bare = self._draw(record, image, mask)
                return entries.card(source, record, number=self._number, picture=picture, bare=bare)

    def _draw(
        self, record: FrameRecord, image: GreyImage | None, mask: ClassMask | None
    ) -> tuple[str | None, str | None]:
        """Write a frame's two pictures and give their addresses; none when there are enough."""
        budget = max(_BUDGET.get(defect.severity, 1.0) for defect in record.defects)
        if image is None or self._pictures >= budget * self._max_pictures:
            return None, None
        self._pictures += 1
        marked, bare = f"{self._number:06d}.jpg", f"{self._number:06d}-bare.jpg"
        _write_jpeg(self._overlays / marked, draw_overlay(image, mask, record.defects))
        _write_jpeg(self._overlays / bare, shrink(image))
        return f"overlays/{marked}", f"overlays/{bare}"

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"{self._directory}: the report can't be written ({error.strerror}); "
                "make room or choose another folder"
            ) from error

    def _write_page(self, *, complete: bool) -> None:
        part = self._directory / "index.html.part"
        with part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
            out.writelines(self._top(complete=complete))
            out.writelines(self._map())
            out.write(page.filters(self._tally.class_names))
            for verdict in (Verdict.DEFECTIVE, Verdict.NOT_INSPECTED, Verdict.CLEAN):
                self._write_list(out, verdict)
            out.writelines(page.tail(_resource("page.js")))
        part.replace(self._directory / "index.html")

    def _top(self, *, complete: bool) -> Iterator[str]:
        css = _resource("page.css") + page.class_rules(sorted(self._tally.class_names))
        yield page.head(self._title, css=css, script=_resource("page.js"))
        yield "<body>\n"
        yield page.masthead(self._title, self._facts, complete=complete)
        yield page.figures(self._tally)

    def _map(self) -> Iterator[str]:
        per_cell = max(1, -(-self._number // MAX_CELLS))
        yield page.map_head(frames=self._number, per_cell=per_cell)
        for lane in self._tally.lanes:
            yield page.lane_head(lane)
            for cell in self._tally.cells(lane, per_cell=per_cell):
                listed = cell.frame is not None and any(
                    cell.frame <= self._last_listed.get(verdict, 0)
                    for verdict in cell.look.verdicts
                )
                yield page.map_cell(cell, self._tally.class_names, listed=listed)
            yield "</div></div>\n"
        yield "</div></section>\n"

    def _write_list(self, out: _Text, verdict: Verdict) -> None:
        if not self._listed[verdict]:
            return
        body = self._lists[verdict]
        body.seek(0)
        count = self._tally.verdicts[verdict]
        out.write(entries.list_head(verdict, count, self._listed[verdict]))
        shutil.copyfileobj(body, out)
        out.write(entries.list_tail(verdict))


def _scratch(directory: Path) -> _Text:
    """A file without a name: gone when it is closed, or when the process is."""
    return tempfile.TemporaryFile(
        "w+", dir=directory, encoding="utf-8", errors="backslashreplace", newline="\n"
    )


def _resource(name: str) -> str:
    return resources.files("edge_daemon.report").joinpath(name).read_text("utf-8")


def _write_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    path.write_bytes(cv2.imencode(".jpg", picture, _JPEG)[1].tobytes())
