"""Where the outcomes of a replay go: one small class for each thing that can be asked for."""

import json
from typing import Protocol, TextIO

from edge_daemon.core.records import FrameRecord
from edge_daemon.core.submission import HEADER, submission_rows, to_csv
from edge_daemon.delivery.courier import Booking, Courier
from edge_daemon.outcomes import Facts, Outcome
from edge_daemon.recordings.sources import RECORDING_ENDINGS
from edge_daemon.report.writer import ReportWriter


class Output(Protocol):
    """Takes what came of each frame."""

    def add(self, source: str, outcome: Outcome) -> None:
        """Take one frame's outcome."""
        ...

    def tell(self, facts: Facts) -> None:
        """Take facts that belong to no single frame: what was open when the input ended."""
        ...


class JsonLines:
    """Writes `--jsonl`: one object per frame."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, source: str, outcome: Outcome) -> None:
        """Write one frame's record."""
        record = outcome.record.to_json(source)
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")

    def tell(self, facts: Facts) -> None:
        """Nothing: a line is a frame."""


class Submission:
    """Writes `--submission`: Kaggle's `ImageId,ClassId,EncodedPixels`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write_header(self) -> None:
        """Write the column names; once, before the first frame."""
        self._file.write(HEADER)

    def add(self, source: str, outcome: Outcome) -> None:
        """Write a row for each class found."""
        mask = outcome.paint_mask()
        if mask is not None:
            image_id = _image_id(source, outcome.record)
            self._file.write(to_csv(submission_rows(image_id, mask)))

    def tell(self, facts: Facts) -> None:
        """Nothing: a row is a class in an image."""


def _image_id(source: str, record: FrameRecord) -> str:
    """The image file's name; a recording holds many frames, so each of its own gets a name."""
    if not source.endswith(RECORDING_ENDINGS):
        return source
    return f"{source}/{record.camera}/{record.stream}/{record.seq}"


class Report:
    """Writes `--report` by way of a `ReportWriter`."""

    def __init__(self, writer: ReportWriter) -> None:
        self._writer = writer

    def add(self, source: str, outcome: Outcome) -> None:
        """Draw one frame."""
        self._writer.add(source, outcome.record, image=outcome.image, mask=outcome.paint_mask())

    def tell(self, facts: Facts) -> None:
        """Nothing: the report is made of frames."""


class Delivery:
    """Sends a replay's messages to a broker, for `--mqtt`."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def add(self, _source: str, outcome: Outcome) -> None:
        """Send what one frame has to tell."""
        self.tell(outcome.facts)

    def tell(self, facts: Facts) -> None:
        """Send facts; their state is kept for nobody, a replay begins anew each time."""
        if facts.announcements:
            self._courier.submit(Booking(facts.announcements))
