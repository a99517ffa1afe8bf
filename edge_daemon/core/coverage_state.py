"""What is known of a camera's rows from one frame to the next, and over a restart of the daemon."""

from pydantic import BaseModel, ConfigDict

from edge_daemon.core.placement import Place
from edge_daemon.core.wire import MAX_SIDE_PX, FrameHeader

FORMER_STREAMS = 4
"""So many starts of a camera are remembered for frames that come late."""


class StreamEnd(BaseModel):
    """How far a stream had come when its camera was started anew.

    Attributes:
        stream: its id.
        next_line: row counter just past the last row booked.
        next_seq: number just past the last frame booked.
        t_ns: latest exposure.
    """

    model_config = ConfigDict(frozen=True)

    stream: str
    next_line: int
    next_seq: int
    t_ns: int


class CoverageState(BaseModel):
    """What has to survive a crash.

    Attributes:
        stream: of the camera's last frame.
        former: streams before it, the last one first; frames of theirs may still be on their way.
        next_line: row counter just past the last row booked.
        next_seq: number that the next frame should have.
        next_mm: position just past the last row booked, where known.
        settled_line: rows before it are decided and told; the rest is booked anew after a crash.
        last_was_inspected: how the last frame was booked, and all that isn't settled: inspected
            with a defect that has not ended, or not inspected in a stretch that still grows.
        t_ns: latest exposure of the stream's frames.
        coil: of the last frame.
        lines_inspected: rows since the books began, of all streams.
        lines_not_inspected: the same of those that nobody looked at.
    """

    model_config = ConfigDict(frozen=True)

    stream: str
    former: tuple[StreamEnd, ...] = ()
    next_line: int
    next_seq: int
    next_mm: float | None
    settled_line: int
    last_was_inspected: bool
    t_ns: int
    coil: str | None
    lines_inspected: int = 0
    lines_not_inspected: int = 0

    @property
    def end(self) -> StreamEnd:
        """How far its stream has come."""
        return StreamEnd(
            stream=self.stream, next_line=self.next_line, next_seq=self.next_seq, t_ns=self.t_ns
        )


def follow_on(before: CoverageState | None, header: FrameHeader, place: Place) -> CoverageState:
    """The state once a frame has arrived that follows on `before`, or begins a stream."""
    ends = () if before is None else (before.end, *before.former)
    latest_ns = [
        end.t_ns for end in ends if end.stream == header.stream and not counts_anew(end, header)
    ]
    others = tuple(end for end in ends if end.stream != header.stream)
    return CoverageState(
        stream=header.stream,
        former=others[:FORMER_STREAMS],
        next_line=place.end_line,
        next_seq=header.seq + 1,
        next_mm=place.end_mm,
        settled_line=place.top_line,
        last_was_inspected=False,
        t_ns=max([header.t_ns, *latest_ns]),
        coil=header.coil,
        lines_inspected=0 if before is None else before.lines_inspected,
        lines_not_inspected=0 if before is None else before.lines_not_inspected,
    )


def move_on(former: tuple[StreamEnd, ...], header: FrameHeader) -> tuple[StreamEnd, ...]:
    """Former streams, that of a late frame being on the books up to the frame's end."""
    end_line = header.top_line + header.height
    return tuple(
        end
        if end.stream != header.stream
        else StreamEnd(
            stream=end.stream,
            next_line=max(end.next_line, end_line),
            next_seq=max(end.next_seq, header.seq + 1),
            t_ns=max(end.t_ns, header.t_ns),
        )
        for end in former
    )


def starts_anew(before: CoverageState, header: FrameHeader) -> bool:
    """A new stream, or one whose numbers go back while its clock goes on."""
    return header.stream != before.stream or counts_anew(before.end, header)


def counts_anew(end: StreamEnd, header: FrameHeader) -> bool:
    """Whether a stream's numbers go back while its clock goes on.

    That breaks the contract, but to refuse such a camera's frames as duplicates would leave it
    blind for as long as it had run before. A row counter may go back by less than the tallest frame
    without that: these are rows sent again.
    """
    end_line = header.top_line + header.height
    counts_back = header.seq < end.next_seq or end_line <= end.next_line - MAX_SIDE_PX
    return counts_back and header.t_ns > end.t_ns
