"""What a camera may send, and what is refused for which reason."""

import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.wire import (
    MAX_HEADER_BYTES,
    Codec,
    FrameHeader,
    PixelFormat,
    check_payload,
    encode,
    parse,
    parse_camera_id,
    parse_header,
    parse_placed,
)
from edge_daemon.errors import FrameError, RejectReason

INT64_MAX = 2**63 - 1
REQUIRED: dict[str, Any] = {
    "v": 1,
    "stream": "7f3a",
    "seq": 5,
    "t_ns": 1_700_000_000_000_000_000,
    "width": 3,
    "height": 2,
    "format": "Mono8",
    "codec": "raw",
}
EVERYTHING = REQUIRED | {
    "first_line": 4711,
    "encoder_mm": -12.5,
    "coil": "C1042.a_b-c",
    "crc32": 2**32 - 1,
}

printable = st.text(max_size=20).filter(str.isprintable)
counters = st.integers(0, 2**38)
coil_ids = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
camera_ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
headers = st.builds(
    FrameHeader,
    v=st.just(1),
    stream=printable,
    seq=counters,
    t_ns=counters,
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    format=st.sampled_from(PixelFormat),
    codec=st.sampled_from(Codec),
    first_line=st.none() | counters,
    encoder_mm=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    coil=st.none() | coil_ids,
    crc32=st.none() | st.integers(0, 2**32 - 1),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


def packed(**changes: object) -> bytes:
    return json.dumps(REQUIRED | changes).encode()


def refusal_of(header: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parse_header(header)
    return caught.value


def test_every_field_of_the_contract_is_read() -> None:
    header = parse_header(json.dumps(EVERYTHING).encode())
    assert json.loads(header.model_dump_json()) == EVERYTHING
    assert header.format is PixelFormat.MONO8
    assert header.codec is Codec.RAW


def test_what_is_optional_may_be_missing() -> None:
    header = parse_header(packed())
    assert (header.first_line, header.encoder_mm, header.coil, header.crc32) == (None,) * 4


@pytest.mark.parametrize("key", sorted(REQUIRED.keys() - {"v"}))
def test_what_is_required_may_not(key: str) -> None:
    fields = {name: value for name, value in REQUIRED.items() if name != key}
    error = refusal_of(json.dumps(fields).encode())
    assert error.reason is RejectReason.HEADER_FIELD
    assert error.detail.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("stream", [5, None, "a\nb", "\x00", "\ud800", ["s"]]),
        ("seq", [-1, 2**63, 10**300, 1.0, True, "1", None]),
        ("t_ns", [-1, 2**63, 1e18, False, None]),
        ("width", [0, -1, 16385, 3.0, True, "3"]),
        ("height", [0, -1, 16385, 2.5, True, None]),
        ("format", ["mono8", "Mono10", "", 8, None, ["Mono8"]]),
        ("codec", ["RAW", "jpg", "", 0, None]),
        ("first_line", [-1, 2**63, 1.0, True, "0"]),
        ("encoder_mm", ["1.0", True, 10**400, [1.0]]),
        ("coil", ["", "a b", "a\n", "ü", "x" * 65, "\ud800", 7]),
        ("crc32", [-1, 2**32, 1.0, True, "0"]),
    ],
)
def test_a_wrong_field_is_refused_and_named(key: str, values: list[object]) -> None:
    for value in values:
        error = refusal_of(packed(**{key: value}))
        assert error.reason is RejectReason.HEADER_FIELD, value
        assert error.detail.startswith(f"{key}: "), value
        str(error).encode()  # a log can write it


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seq", 0),
        ("seq", 2**44),
        ("t_ns", 0),
        ("width", 1),
        ("width", 16384),
        ("height", 1),
        ("height", 16384),
        ("first_line", 0),
        ("encoder_mm", 3),
        ("coil", "x" * 64),
        ("crc32", 0),
    ],
)
def test_the_ends_of_a_range_belong_to_it(key: str, value: object) -> None:
    assert getattr(parse_header(packed(**{key: value})), key) == value


@pytest.mark.parametrize("version", [0, 2, 10**300, "1", 1.0, True, None, [1]])
def test_another_version_is_refused(version: object) -> None:
    assert refusal_of(packed(v=version)).reason is RejectReason.VERSION


def test_a_header_without_a_version_is_refused() -> None:
    assert refusal_of(b"{}").reason is RejectReason.VERSION


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"v"',
        b"1",
        b"{",
        b"{'v': 1}",
        b"\xff",
        b'{"v": 1, "stream": "\xed\xa0\x80"}',
        b"[" * 4096,
        b'{"a":' * 800,
        b"9" * 4096,
        packed() + b"{}",
        packed(encoder_mm=float("nan")),
        packed(encoder_mm=float("-inf")),
        b"\xef\xbb\xbf" + packed(),
        packed().decode().encode("utf-16"),
    ],
)
def test_what_is_no_json_object_in_utf8_is_refused(raw: bytes) -> None:
    assert refusal_of(raw).reason is RejectReason.HEADER_JSON


def test_a_number_too_large_for_a_float_is_refused() -> None:
    raw = packed(encoder_mm=0).replace(b'"encoder_mm": 0', b'"encoder_mm": 1e999')
    assert refusal_of(raw).reason is RejectReason.HEADER_FIELD


def test_a_header_may_have_4096_bytes_and_not_one_more() -> None:
    full = packed() + b" " * (MAX_HEADER_BYTES - len(packed()))
    assert MAX_HEADER_BYTES == 4096
    assert parse_header(full).seq == 5
    assert refusal_of(full + b" ").reason is RejectReason.HEADER_SIZE


def test_unknown_keys_are_ignored() -> None:
    assert parse_header(packed(gain=3, Seq=9, **{"\ud800": {}})) == parse_header(packed())


@pytest.mark.parametrize(
    "again", [b'"seq": 6', b'"seq": 5', b'"x": 1, "x": 1', b'"y": {"": 1, "": 2}']
)
def test_a_key_that_is_there_twice_is_refused_and_named(again: bytes) -> None:
    error = refusal_of(packed()[:-1] + b", " + again + b"}")
    assert error.reason is RejectReason.HEADER_JSON
    assert error.detail.endswith(" is there more than once")


@pytest.mark.parametrize("part", [b"x" * 2**24, b"{" + b" " * 2**24])
def test_a_part_of_megabytes_is_refused_without_a_copy_of_it(part: bytes) -> None:
    sent = memoryview(part)
    tracemalloc.start()
    try:
        for read in (parse_camera_id, parse_header):
            with pytest.raises(FrameError) as caught:
                read(sent)
            assert len(str(caught.value)) < 300
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_huge_value_makes_no_huge_complaint() -> None:
    for value in (10**3000, "x" * 3000, [[1] * 900]):
        assert len(str(refusal_of(packed(v=value)))) < 200
        assert len(str(refusal_of(packed(seq=value)))) < 200


@given(seq=st.integers(0, 2**40), height=st.integers(1, 16384))
@settings(deadline=None, derandomize=True, max_examples=20)
def test_without_a_row_counter_all_frames_are_taken_to_be_as_high(seq: int, height: int) -> None:
    assert parse_header(packed(seq=seq, height=height)).top_line == seq * height
    assert parse_header(packed(seq=seq, height=height, first_line=0)).top_line == 0
    assert parse_header(packed(seq=seq, height=height, first_line=77)).top_line == 77


@pytest.mark.parametrize("camera", ["a", "top-1", "A_b-9", "x" * 64])
def test_a_camera_may_be_called(camera: str) -> None:
    assert parse_camera_id(camera.encode()) == camera
    assert parse_camera_id(memoryview(camera.encode())) == camera


@pytest.mark.parametrize(
    "part", [b"", b"x" * 65, b"a b", b"a/b", b"a.b", b"a\n", b"\n", "ü".encode(), b"\xff", b"a\x00"]
)
def test_a_camera_may_not_be_called(part: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        parse_camera_id(part)
    assert caught.value.reason is RejectReason.CAMERA_ID


@pytest.mark.parametrize("count", [0, 1, 2, 4, 9])
def test_a_message_has_three_parts(count: int) -> None:
    with pytest.raises(FrameError) as caught:
        parse([b"cam", packed(), b"", b"", b"", b"", b"", b"", b""][:count])
    assert caught.value.reason is RejectReason.PARTS


def test_the_payload_is_not_copied() -> None:
    payload = bytearray(b"abcdef")
    frame = parse([b"cam", packed(), memoryview(payload)])
    payload[0] = ord("z")
    assert bytes(frame.payload) == b"zbcdef"


@given(camera=camera_ids, header=headers, payload=st.binary(max_size=50))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_what_is_encoded_is_parsed_again(camera: str, header: FrameHeader, payload: bytes) -> None:
    frame = parse(encode(camera, header, payload))
    assert (frame.camera, frame.header, bytes(frame.payload)) == (camera, header, payload)


@given(st.lists(st.binary(max_size=200), max_size=4))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_no_bytes_raise_anything_but_a_frame_error(parts: list[bytes]) -> None:
    with pytest.raises(FrameError):
        parse(parts)


@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)), json_values, min_size=1, max_size=4))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_json_raises_anything_but_a_frame_error(changes: dict[str, object]) -> None:
    try:
        header = parse_header(json.dumps(EVERYTHING | changes).encode())
    except FrameError as error:
        str(error).encode()
    else:
        kept = json.loads(header.model_dump_json())
        whole = changes.keys() - {"encoder_mm"}  # which an integer may reach rounded
        assert all(kept[key] == changes[key] for key in whole)


@pytest.mark.parametrize(
    ("pixel_format", "bytes_per_pixel"), [("Mono8", 1), ("Mono16", 2), ("RGB8", 3), ("BGR8", 3)]
)
def test_a_raw_payload_has_exactly_its_size(pixel_format: str, bytes_per_pixel: int) -> None:
    header = packed(format=pixel_format)
    expected = 3 * 2 * bytes_per_pixel
    check_payload(parse([b"cam", header, bytes(expected)]))
    for size in (0, expected - 1, expected + 1):
        with pytest.raises(FrameError, match=f"takes {expected} bytes") as caught:
            check_payload(parse([b"cam", header, bytes(size)]))
        assert caught.value.reason is RejectReason.PAYLOAD_SIZE


def test_a_wrong_checksum_is_refused() -> None:
    payload = b"abcdef"
    check_payload(parse([b"cam", packed(crc32=zlib.crc32(payload)), payload]))
    with pytest.raises(FrameError) as caught:
        check_payload(parse([b"cam", packed(crc32=zlib.crc32(payload)), b"abcdeg"]))
    assert caught.value.reason is RejectReason.CRC32


def test_a_checksum_of_zero_is_a_checksum() -> None:
    with pytest.raises(FrameError) as caught:
        check_payload(parse([b"cam", packed(crc32=0), b"abcdef"]))
    assert caught.value.reason is RejectReason.CRC32


def test_a_right_message_is_placed_as_it_is() -> None:
    parts = [b"cam", packed(coil="C1"), b"abcdef"]
    assert parse_placed(parts) == parse(parts)
    assert parse_placed(parts).fault is None


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"format": "Mono10"}, {"codec": 7}, {"crc32": -1}, {"encoder_mm": "1"}]
)
def test_a_wrong_message_that_says_its_rows_keeps_its_place(wrong: dict[str, object]) -> None:
    frame = parse_placed([b"cam", packed(first_line=70, coil="C1", **wrong), b"abcdef"])
    assert frame.fault is not None
    assert frame.fault.reason is RejectReason.HEADER_FIELD
    header = frame.header
    assert (frame.camera, header.stream, header.seq) == ("cam", "7f3a", 5)
    assert (header.top_line, header.height, header.coil) == (70, 2, "C1")
    assert frame.payload.nbytes == 0


@pytest.mark.parametrize("t_ns", [-1, None, 2**63, 1.5, "now"])
def test_a_time_that_is_none_leaves_the_rows_where_they_are(t_ns: object) -> None:
    frame = parse_placed([b"cam", packed(t_ns=t_ns, first_line=70), b"abcdef"])
    assert frame.fault is not None
    assert (frame.header.t_ns, frame.header.top_line, frame.header.height) == (0, 70, 2)


def test_a_coil_that_is_none_leaves_the_rows_where_they_are() -> None:
    frame = parse_placed([b"cam", packed(coil="C 1", encoder_mm=9.5), b"abcdef"])
    assert frame.fault is not None
    assert (frame.header.coil, frame.header.encoder_mm, frame.header.top_line) == (None, 9.5, 10)


@pytest.mark.parametrize(
    "wrong",
    [{"stream": 1}, {"seq": -1}, {"height": 0}, {"first_line": "7"}, {"v": 2}],
)
def test_a_wrong_message_without_a_place_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FrameError):
        parse_placed([b"cam", packed(**wrong), b"abcdef"])


@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)), json_values, min_size=1, max_size=4))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_no_wrong_header_raises_anything_but_a_frame_error(changes: dict[str, object]) -> None:
    parts = [b"cam", json.dumps(EVERYTHING | changes).encode(), b""]
    try:
        frame = parse_placed(parts)
    except FrameError as error:
        str(error).encode()
    else:
        assert frame.header.height >= 1


@pytest.mark.parametrize(
    "numbers", [{"first_line": 2**53}, {"seq": 2**62}, {"seq": 2**62, "first_line": 0}]
)
def test_a_row_counter_beyond_what_json_holds_exactly_is_refused(numbers: dict[str, int]) -> None:
    header = {"v": 1, "stream": "s", "t_ns": 0, "seq": 0, "width": 1, "height": 16384}
    packed = json.dumps(header | {"format": "Mono8", "codec": "raw"} | numbers).encode()
    with pytest.raises(FrameError, match="which no camera reaches") as caught:
        parse_header(packed)
    assert caught.value.reason is RejectReason.HEADER_FIELD
