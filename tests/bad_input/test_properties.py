"""Whatever comes in: one error with a reason, or a right answer, in bounded memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from edge_daemon.core.pixels import compressed_size, decode
from edge_daemon.core.wire import (
    Codec,
    Frame,
    FrameHeader,
    PixelFormat,
    parse_header,
    parse_placed,
)
from edge_daemon.errors import FrameError, RecordingError, RejectReason
from edge_daemon.outcomes import Message
from edge_daemon.recordings.recording import read_recording
from tests.bad_input.cases import BAD, header, picture
from tests.bad_input.pictures import (
    hand_made_png,
    jpeg,
    png,
    png_chunk,
    with_frame_header,
    zeros_packed,
)
from tests.edge_daemon.marked_steel import inspector
from tests.fuzz.seeds import SEEDS

SIDE_PX = 64
PICTURE_MIB = 16
"""What decoding a picture of 64 x 64 pixels may take, whatever its bytes say."""
RECORDING_MIB = 64
"""What reading a recording of some kilobytes may take, whatever its bytes claim."""
OF_A_HEADER = {
    RejectReason.HEADER_SIZE,
    RejectReason.HEADER_JSON,
    RejectReason.HEADER_FIELD,
    RejectReason.VERSION,
}
EXTREMES = (-1, 0, 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 10**400)

properties = settings(deadline=None, derandomize=True, max_examples=200)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(EXTREMES)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    *("v", "stream", "seq", "t_ns", "width", "height", "format", "codec"),
    *("first_line", "encoder_mm", "coil", "crc32"),
)
changes = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), json_values, max_size=4)


@contextmanager
def at_most_mib(bound: int) -> Iterator[None]:
    """Fail where this process takes more memory meanwhile (proc(5): clear_refs, VmHWM)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_kib("VmRSS")
    yield
    taken = (memory_kib("VmHWM") - before) / 1024
    assert taken < bound, f"{taken:.0f} MiB, {bound} at most"


def memory_kib(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])


def test_the_bound_on_memory_bites() -> None:
    with pytest.raises(AssertionError, match="32 at most"), at_most_mib(32):
        assert bytearray(64 * 2**20)


@given(changes)
@properties
def test_a_header_in_any_form_of_json_is_read_alike(extra: dict[str, Any]) -> None:
    unknown = {key: value for key, value in extra.items() if key not in KEYS}
    fields = json.loads(header("s", 7, first_line=9, coil="C1")) | finite(unknown)
    forms = (
        json.dumps(fields),
        json.dumps(fields, indent=1, ensure_ascii=True),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")),
    )
    read = [parse_header(form.encode()) for form in forms]
    assert read == [parse_header(header("s", 7, first_line=9, coil="C1"))] * 3
    assert parse_header(read[0].model_dump_json().encode()) == read[0]


def finite(values: Any) -> Any:  # noqa: ANN401 - JSON
    """The same without NaN and infinities, which JSON doesn't have."""
    return json.loads(json.dumps(values), parse_constant=lambda _: 0)


@given(json_values | changes)
@example({"v": 1})
@properties
def test_any_json_is_a_header_or_is_refused_with_a_reason(document: Any) -> None:  # noqa: ANN401
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        try:
            parse_header(text.encode("utf-8", "surrogatepass"))
        except FrameError as error:
            assert error.reason in OF_A_HEADER  # noqa: PT017 - a good one is right, too
            str(error).encode()


@given(changes)
@properties
def test_a_wrong_header_is_placed_by_what_it_says_or_not_at_all(wrong: dict[str, Any]) -> None:
    fields = json.loads(header("s", 7)) | wrong
    try:
        frame = parse_placed([BAD.encode(), json.dumps(fields).encode(), b""])
    except FrameError as error:
        assert error.reason in OF_A_HEADER  # noqa: PT017 - a good one is right, too
    else:
        place = (frame.header.stream, frame.header.seq, frame.header.height)
        assert place == (fields["stream"], fields["seq"], fields["height"])
        assert frame.header.first_line == fields.get("first_line")


@given(st.lists(changes, max_size=6))
@settings(properties, max_examples=60)
def test_no_run_of_odd_frames_leaves_a_camera_blind(run: list[dict[str, Any]]) -> None:
    ready = inspector()
    for seq, wrong in enumerate(run):
        part = json.dumps(json.loads(header("odd", seq)) | wrong).encode()
        outcome = ready.inspect(Message([BAD.encode(), part, picture(seq).tobytes()], 1 + seq))
        counts = outcome.facts.news.lines_not_inspected
        assert all(0 <= lines <= 2**53 for lines in counts.values())
        assert (outcome.rejected is None) == (outcome.record.reason is None)
    last = ready.inspect(Message([BAD.encode(), header("fresh", 0), picture(99).tobytes()], 99))
    assert last.facts.news.lines_inspected == 32


def damaged(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Seeds with bytes changed, cut out, doubled; and any bytes at all."""

    def damage(seed: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
        for where, length, other in edits:
            at = int(where * len(seed))
            seed = seed[:at] + other + seed[at + length :]
        return seed

    edit = st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40))
    edits = st.lists(edit, min_size=1, max_size=4)
    return st.binary(max_size=300) | st.builds(damage, st.sampled_from(seeds), edits)


PICTURES = {
    Codec.JPEG: [jpeg(picture(1, SIDE_PX, SIDE_PX)), *SEEDS["jpeg"]()],
    Codec.PNG: [png(picture(1, SIDE_PX, SIDE_PX)), *SEEDS["png"]()],
    Codec.RAW: [picture(1, SIDE_PX, SIDE_PX).tobytes()],
}


@pytest.mark.parametrize("codec", Codec)
def test_no_payload_raises_anything_but_a_refusal_or_takes_more_memory(codec: Codec) -> None:
    @given(damaged(PICTURES[codec]))
    @properties
    def holds(payload: bytes) -> None:
        for pixel_format in PixelFormat if codec is Codec.RAW else (PixelFormat.MONO8,):
            try_to_decode(payload, codec, pixel_format)

    holds()


def try_to_decode(payload: bytes, codec: Codec, pixel_format: PixelFormat) -> None:
    """Under a header that says what the payload says, where that is small, else 64 x 64."""
    width = height = SIDE_PX
    with at_most_mib(PICTURE_MIB):
        try:
            if codec is not Codec.RAW:
                size = compressed_size(payload, codec)
                width, height = size if 0 < min(size) <= max(size) <= SIDE_PX else (width, height)
            frame = Frame(
                BAD, small_header(width, height, codec, pixel_format), memoryview(payload)
            )
            assert decode(frame).shape == (height, width)
        except FrameError as error:
            assert error.reason in {RejectReason.DECODE, RejectReason.PAYLOAD_SIZE}  # noqa: PT017


def small_header(width: int, height: int, codec: Codec, pixel_format: PixelFormat) -> FrameHeader:
    return FrameHeader(
        v=1,
        stream="s",
        seq=0,
        t_ns=0,
        width=width,
        height=height,
        format=pixel_format,
        codec=codec,
    )


def bombs() -> Iterator[tuple[Codec, bytes]]:
    """Small files that unpack to megabytes, or say that they do."""
    zeros = zeros_packed(64 * 2**20)
    for side_px in (SIDE_PX, 16384, 2**31 - 1):
        yield Codec.PNG, hand_made_png(side_px, side_px, zeros, depth=16, colour_type=6)
    text = png_chunk(b"zTXt", b"a\0\0" + zeros)
    yield Codec.PNG, hand_made_png(SIDE_PX, SIDE_PX, zeros, between=text)
    small = jpeg(picture(1, SIDE_PX, SIDE_PX))
    yield Codec.JPEG, with_frame_header(small, rows=16384, columns=16384)


def test_a_bomb_takes_no_more_memory_than_its_frame_may_have() -> None:
    for codec, bomb in bombs():
        with at_most_mib(PICTURE_MIB):
            try_to_decode(bomb, codec, PixelFormat.MONO8)


@given(damaged(list(SEEDS["recording"]())))
@properties
def test_no_file_makes_the_reader_of_recordings_fail_otherwise(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mcap"
    path.write_bytes(content)
    with at_most_mib(RECORDING_MIB):
        try:
            for message in read_recording(path):
                assert all(isinstance(part, bytes) for part in message.parts)
        except RecordingError as error:
            assert str(error)  # noqa: PT017 - what is whole comes before it
