"""Whatever happens on the line, every row is booked once: the books against an oracle.

Two cameras send, lose, repeat, swap and overlap frames and are started anew; payloads are damaged,
frames get stale, the network fails, the daemon crashes and loses what was not on disk yet. The
oracle keeps one status per row and camera stream and knows nothing of how the books are kept.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypothesis import given, note, settings, strategies as st

from edge_daemon.core.coverage import CoverageState
from edge_daemon.core.messages import CoilEvent, CoverageEvent, DefectEvent
from edge_daemon.core.records import Verdict
from edge_daemon.core.wire import FrameHeader, parse
from edge_daemon.errors import RejectReason
from edge_daemon.outcomes import Facts, Message, Outcome
from tests.edge_daemon import marked_steel as steel

CAMERAS = ("bottom", "top")
Fate: TypeAlias = Literal["fine", "damaged", "stale", "breaks", "nan"]
Stream: TypeAlias = tuple[str, str]
"""Camera and stream."""
Row: TypeAlias = tuple[bool, str | None]
"""Whether it was inspected, and its coil."""


@dataclass(frozen=True)
class Send:
    """The next frame, perhaps with rows that were sent before."""

    height: int
    mark: Literal["none", "inside", "through"]
    fate: Fate
    overlap: int = 0
    frames_skipped: int = 0


@dataclass(frozen=True)
class Lose:
    """Frames that never arrive."""

    frames: int
    height: int


@dataclass(frozen=True)
class Swap:
    """Two frames in the wrong order."""

    height: int


@dataclass(frozen=True)
class Repeat:
    """A frame that was sent before."""

    back: int


@dataclass(frozen=True)
class StartCamera:
    """A new stream, whose first frames may get lost."""

    frames_lost: int
    height: int


@dataclass(frozen=True)
class NextCoil:
    """The camera sees the next coil, or none."""

    named: bool


@dataclass(frozen=True)
class Crash:
    """The daemon is gone; the last facts were not on disk yet."""

    facts_lost: int


@dataclass(frozen=True)
class Wait:
    """No frame for a while."""


Trouble: TypeAlias = Lose | Swap | Repeat | StartCamera | NextCoil | Crash | Wait

heights = st.sampled_from([1, 12, 40, 64])
sends = st.builds(
    Send,
    height=heights,
    mark=st.sampled_from(["none", "none", "inside", "through"]),
    fate=st.sampled_from(["fine"] * 5 + ["damaged", "stale", "breaks", "nan"]),
    overlap=st.sampled_from([0] * 6 + [5, 30]),
    frames_skipped=st.sampled_from([0] * 8 + [2]),
)
troubles = (
    st.builds(Lose, frames=st.integers(1, 3), height=heights)
    | st.builds(Swap, height=heights)
    | st.builds(Repeat, back=st.integers(1, 3))
    | st.builds(StartCamera, frames_lost=st.integers(0, 2), height=heights)
    | st.builds(NextCoil, named=st.sampled_from([True, True, False]))
    | st.builds(Crash, facts_lost=st.integers(0, 4))
    | st.just(Wait())
)
histories = st.lists(
    st.tuples(st.sampled_from(CAMERAS), st.none() | troubles, sends), min_size=5, max_size=25
)


@dataclass
class Camera:
    """What a camera counts."""

    name: str
    starts: int = 0
    seq: int = 0
    line: int = 0
    coil_number: int = 0
    coil: str | None = "C0"
    sent: list[Message] = field(default_factory=list)

    def take(self, send: Send, now_ns: int) -> Message:
        """Expose a frame."""
        self.seq += send.frames_skipped
        top = max(self.line - min(send.overlap, send.height - 1), 0)
        image = steel.steel(send.height)
        if send.mark == "through":
            image[:, 16:32] = steel.BRIGHT
        elif send.mark == "inside":
            image[send.height // 3 : send.height // 2, 32:56] = steel.DARK
        if send.fate in {"breaks", "nan"}:
            image[:] = steel.BREAKS if send.fate == "breaks" else steel.ANSWERS_NAN
        message = steel.message(
            image,
            camera=self.name,
            received_ns=now_ns,
            payload=b"too short" if send.fate == "damaged" else None,
            stream=f"start-{self.starts}",
            seq=self.seq,
            first_line=top,
            coil=self.coil,
        )
        self.seq += 1
        self.line = max(self.line, top + send.height)
        self.sent.append(message)
        return message

    def lose(self, frames: int, height: int) -> None:
        self.seq += frames
        self.line += frames * height

    def start(self) -> None:
        self.starts += 1
        self.seq = self.line = 0

    def change_coil(self, *, named: bool) -> None:
        self.coil_number += 1
        self.coil = f"C{self.coil_number}" if named else None


@dataclass
class OpenCoil:
    """What the oracle counts of a coil."""

    cameras: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    inspected: int = 0
    missed: int = 0
    torn: bool = False


@dataclass
class Oracle:
    """The truth: one entry per row."""

    rows: dict[Stream, list[Row]] = field(default_factory=dict)
    uncounted: Counter[str] = field(default_factory=Counter)
    last: dict[str, FrameHeader] = field(default_factory=dict)
    former_stream: dict[str, str] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    coils: dict[str, OpenCoil] = field(default_factory=dict)

    def copy(self) -> "Oracle":
        return Oracle(
            {stream: list(rows) for stream, rows in self.rows.items()},
            Counter(self.uncounted),
            dict(self.last),
            dict(self.former_stream),
            dict(self.settled),
            {
                name: dataclasses.replace(
                    coil, cameras=set(coil.cameras), present=set(coil.present)
                )
                for name, coil in self.coils.items()
            },
        )

    def must_refuse(self, camera: str, header: FrameHeader) -> bool:
        last = self.last.get(camera)
        if last is None:
            return False
        if last.stream != header.stream:
            return header.stream == self.former_stream.get(camera)
        booked = len(self.rows[camera, header.stream])
        return header.seq <= last.seq or header.top_line + header.height <= booked

    def restart(self, saved: dict[str, str]) -> None:
        """Note which rows the disk knows as settled; the others are not inspected after all."""
        self.settled.clear()
        for camera, last in self.last.items():
            state = CoverageState.model_validate_json(saved[f"camera/{camera}"])
            assert (state.stream, state.next_seq) == (last.stream, last.seq + 1)
            assert state.next_line == len(self.rows[camera, last.stream])
            assert 0 <= state.settled_line <= state.next_line
            if state.settled_line < state.next_line:
                self.settled[camera] = state.settled_line

    def book(self, camera: str, header: FrameHeader, outcome: Outcome) -> None:
        """Take in a frame that was not refused, and what was told of it."""
        news = outcome.facts.news
        told = [announcement.body for announcement in outcome.facts.announcements]
        last, stream = self.last.get(camera), (camera, header.stream)
        is_new = last is not None and last.stream != header.stream
        if is_new and last is not None:
            self.former_stream[camera] = last.stream
        rows = self.rows.setdefault(stream, [])
        missing = max(header.top_line - len(rows), 0)
        skipped = 0 if is_new or last is None else header.seq - last.seq - 1
        uncounted = skipped * header.height if header.top_line == len(rows) else 0
        same_coil = last is not None and last.coil == header.coil
        torn = is_new or (missing + uncounted > 0 and not same_coil)
        if torn and last is not None:
            self._tear(last.coil)
        self._check_coils(camera, header, told, same_coil=same_coil)
        if torn:
            self._tear(header.coil)
        gap_coil = header.coil if same_coil and not is_new else None
        self._add(stream, missing, inspected=False, coil=gap_coil)
        self.uncounted[camera] += uncounted
        if gap_coil in self.coils:
            self.coils[gap_coil].missed += uncounted
        inspected = outcome.record.verdict is not Verdict.NOT_INSPECTED
        fresh = header.top_line + header.height - len(rows)
        self._add(stream, fresh, inspected=inspected, coil=header.coil)
        assert news.lines_inspected == (fresh if inspected else 0)
        missed = missing + uncounted + (0 if inspected else fresh)
        assert news.lines_not_inspected.total() == missed
        assert news.frames_lost == (header.seq if is_new or last is None else skipped)
        self.last[camera] = header

    def take_back(self, facts: Facts) -> None:
        """What a restart tells: first that no open coil is complete, then each camera's rows."""
        if facts.camera is None:
            for open_coil in self.coils:
                self._tear(open_coil)
            return
        stream = (facts.camera, self.last[facts.camera].stream)
        settled = self.settled.pop(facts.camera)
        revoked = self.rows[stream][settled:]
        assert facts.news.lines_not_inspected.total() == len(revoked)
        self.rows[stream][settled:] = [(False, coil) for _, coil in revoked]
        for was_inspected, name in revoked:
            coil = self.coils.get(name or "")
            if coil is not None:
                is_own = facts.camera in coil.cameras
                coil.inspected -= is_own and was_inspected
                coil.missed += 1 - (is_own and not was_inspected)

    def _tear(self, coil: str | None) -> None:
        if coil in self.coils:
            self.coils[coil].torn = True

    def _add(self, stream: Stream, count: int, *, inspected: bool, coil: str | None) -> None:
        self.rows[stream] += [(inspected, coil)] * count
        counts = self.coils.get(coil or "")
        if counts is not None:
            counts.inspected += count if inspected else 0
            counts.missed += 0 if inspected else count

    def _check_coils(
        self, camera: str, header: FrameHeader, told: list[Any], *, same_coil: bool
    ) -> None:
        for name, coil in self.coils.items():
            if name != header.coil:
                coil.present.discard(camera)
        for body in told:
            if isinstance(body, CoilEvent) and body.state == "done":
                self._check_done(body, seen_to_end=not self.coils[body.coil].present)
            elif isinstance(body, CoilEvent):
                assert body.coil == header.coil
                assert body.coil not in self.coils
                self.coils[body.coil] = OpenCoil()
        if header.coil is not None:
            coil = self.coils[header.coil]
            coil.torn |= camera not in coil.present and (same_coil or camera in coil.cameras)
            coil.cameras.add(camera)
            coil.present.add(camera)
        assert len(self.coils) <= 2

    def _check_done(self, body: CoilEvent, *, seen_to_end: bool) -> None:
        coil = self.coils.pop(body.coil)
        assert (body.lines_inspected, body.lines_not_inspected) == (coil.inspected, coil.missed)
        whole = coil.missed == 0 and coil.inspected > 0 and not coil.torn
        assert body.complete == (whole and seen_to_end)
        assert body.cameras == len(coil.cameras)


class Plant:
    """The line, the daemon and its disk."""

    def __init__(self) -> None:
        self.now_ns = 10**18
        self.cameras = {name: Camera(name) for name in CAMERAS}
        self.inspector = steel.inspector()
        self.oracle = Oracle()
        self.disk: list[Facts] = []
        self.oracles: list[Oracle] = []
        self.told_open: set[str] = set()

    def happens(self, camera: Camera, event: Trouble | Send) -> None:
        self.now_ns += 100_000_000
        match event:
            case Send():
                self.receive(camera.take(event, self.now_ns), event.fate)
            case Lose(frames, height):
                camera.lose(frames, height)
            case Swap(height):
                first = camera.take(Send(height, "none", "fine"), self.now_ns)
                self.receive(camera.take(Send(height, "none", "fine"), self.now_ns + 1), "fine")
                self.receive(first, "fine")
            case Repeat(back):
                self.repeat(camera, back)
            case StartCamera(frames_lost, height):
                camera.start()
                camera.lose(frames_lost, height)
            case NextCoil(named):
                camera.change_coil(named=named)
            case Crash(facts_lost):
                self.crash(facts_lost)
            case Wait():
                self.wait()

    def wait(self) -> None:
        self.now_ns += 2_000_000_000
        for facts in self.inspector.tick(self.now_ns, quiet_for_ns=1_000_000_000):
            self.keep(facts)

    def repeat(self, camera: Camera, back: int) -> None:
        """Send a frame again, if it is of this start of the camera or the one before."""
        known = {self.oracle.former_stream.get(camera.name)}
        if camera.name in self.oracle.last:
            known.add(self.oracle.last[camera.name].stream)
        for message in camera.sent[-back:][:1]:
            if parse(message.parts).header.stream in known:
                self.receive(message, None)

    def receive(self, message: Message, fate: Fate | None) -> None:
        frame = parse(message.parts)
        refused = self.oracle.must_refuse(frame.camera, frame.header)
        stale = RejectReason.STALE if fate == "stale" else None
        outcome = self.inspector.inspect(message, left_out=stale)
        if refused:
            assert outcome.rejected is not None
            assert outcome.rejected.reason in {RejectReason.DUPLICATE, RejectReason.SEQUENCE}
            assert outcome.record.verdict is Verdict.NOT_INSPECTED
            assert (outcome.facts.announcements, outcome.facts.state) == ((), {})
            return
        if fate is not None:
            fine = outcome.record.verdict is not Verdict.NOT_INSPECTED
            assert fine == (fate == "fine")
            assert (outcome.fault is not None) == (fate in {"breaks", "nan"})
        booked = self.oracle.rows.get((frame.camera, frame.header.stream), [])
        first_row = max(len(booked), frame.header.top_line)
        self.oracle.book(frame.camera, frame.header, outcome)
        if outcome.record.verdict is not Verdict.NOT_INSPECTED:
            check_settled(outcome, bytes(frame.payload), first_row, told_open=self.told_open)
        self.keep(outcome.facts)
        if outcome.fault is not None:
            for facts in self.inspector.tick(self.now_ns, quiet_for_ns=0):
                self.keep(facts)
            self.crash(0)

    def keep(self, facts: Facts) -> None:
        bodies = [announcement.body for announcement in facts.announcements]
        self.told_open |= {b.defect_id for b in bodies if isinstance(b, DefectEvent) and b.open}
        self.disk.append(facts)
        self.oracles.append(self.oracle.copy())

    def crash(self, facts_lost: int) -> None:
        kept = max(len(self.disk) - facts_lost, 0)
        del self.disk[kept:], self.oracles[kept:]
        self.oracle = self.oracles[-1].copy() if self.oracles else Oracle()
        saved = steel.documents(self.disk)
        self.oracle.restart(saved)
        self.inspector = steel.inspector(saved)
        for facts in self.inspector.start(now_ns=self.now_ns):
            self.oracle.take_back(facts)
            self.keep(facts)
        assert self.oracle.settled == {}

    def end(self) -> None:
        """Every camera sends once more, then the input is over."""
        for camera in self.cameras.values():
            self.receive(camera.take(Send(64, "none", "fine"), self.now_ns), "fine")
        for facts in self.inspector.close(self.now_ns):
            self.keep(facts)
            for announcement in facts.announcements:
                if isinstance(announcement.body, CoilEvent):
                    self.oracle._check_done(  # noqa: SLF001 - same module
                        announcement.body, seen_to_end=True
                    )
        assert self.oracle.coils == {}

    def told(self) -> list[CoverageEvent]:
        bodies = [a.body for facts in self.disk for a in facts.announcements]
        return [body for body in bodies if isinstance(body, CoverageEvent)]


def check_settled(outcome: Outcome, pixels: bytes, first_row: int, *, told_open: set[str]) -> None:
    """A mark down to a frame's last row keeps its rows open, a frame without marks settles all.

    But for a defect that was told as open while the strip stood: nobody has to be told of it anew.
    """
    if told_open & {defect.id for defect in outcome.record.defects}:
        return
    document = outcome.facts.state[f"camera/{outcome.record.camera}"]
    state = CoverageState.model_validate_json(document or "")
    if steel.BRIGHT in pixels:
        assert state.settled_line <= first_row
    elif steel.DARK not in pixels:
        assert state.settled_line == state.next_line


@given(histories)
@settings(deadline=None, derandomize=True, max_examples=250)
def test_every_row_is_booked_once_and_told_if_nobody_saw_it(
    history: list[tuple[str, Trouble | None, Send]],
) -> None:
    plant = Plant()
    for name, trouble, send in history:
        if trouble is not None:
            plant.happens(plant.cameras[name], trouble)
        plant.happens(plant.cameras[name], send)
    plant.end()
    note(str(plant.oracle))
    told: Counter[tuple[Stream, int]] = Counter()
    for event in plant.told():
        lines = range(event.from_line, event.to_line)
        told.update(((event.camera, event.stream), line) for line in lines)
    missed = {
        (stream, line)
        for stream, rows in plant.oracle.rows.items()
        for line, (inspected, _) in enumerate(rows)
        if not inspected
    }
    assert set(told.values()) <= {1}
    assert told.keys() == missed
    lines_told = Counter[str]()
    for event in plant.told():
        lines_told[event.camera] += event.lines
    for name in CAMERAS:
        rows = sum(stream[0] == name for stream, _ in missed)
        assert lines_told[name] == rows + plant.oracle.uncounted[name]
