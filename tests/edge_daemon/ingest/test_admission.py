import json
from contextlib import AbstractContextManager, nullcontext

import pytest

from edge_daemon.core.wire import Part
from edge_daemon.errors import RejectReason
from edge_daemon.ingest.admission import Admission
from edge_daemon.outcomes import Facts, Message
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer, Read, Refused, Unplaced

HEADER = {
    "v": 1,
    "stream": "s",
    "seq": 0,
    "t_ns": 1,
    "width": 100,
    "height": 20,
    "format": "Mono8",
    "codec": "raw",
}
SECOND_NS = 10**9


def untimed(_stage: str) -> AbstractContextManager[None]:
    return nullcontext()


def message(
    camera: bytes = b"top-1", payload: Part = bytes(2000), *, arrived_ns: int = 0
) -> Message:
    return Message([camera, json.dumps(HEADER).encode(), payload], 0, arrived_ns)


def reason(judged: Message) -> RejectReason | None:
    return None if judged.left_out is None else judged.left_out.reason


def test_a_camera_under_its_own_key_is_taken_as_it_is() -> None:
    sent = message()
    assert Admission(max_payload_bytes=10_000, keyed={"top-1"}).judge(sent, "top-1") is sent


def test_without_keys_everybody_is_who_he_says() -> None:
    sent = message()
    assert Admission(max_payload_bytes=10_000).judge(sent, None) is sent


@pytest.mark.parametrize(
    ("claimed", "owner"),
    [
        (b"top-1", "top-2"),  # the neighbour's name
        (b"nobody", "top-2"),
        (b"", "top-2"),
        (b"\xff", "top-2"),
        (b"top-2\0", "top-2"),
        (b"top-2 ", "top-2"),
        (b"TOP-2", "top-2"),
        (b"top-1", None),  # has a key and comes without
    ],
)
def test_who_speaks_for_another_is_counted_himself_and_booked_nowhere(
    claimed: bytes, owner: str | None
) -> None:
    admission = Admission(max_payload_bytes=10_000, keyed={"top-1", "top-2"})
    judged = admission.judge(message(claimed), owner)
    assert reason(judged) is RejectReason.IMPOSTOR
    assert judged.sender == (owner or "")
    assert sum(map(len, judged.parts)) <= 64
    prepared = Preparer(stride_px=2, cameras=None, stage=untimed).prepare(judged)
    assert isinstance(prepared, Unplaced)
    inspector = Inspector([], bundle="b", scales={}, saved={}, stage=untimed)
    outcome = inspector.settle(prepared, None)
    assert outcome.rejected is judged.left_out
    assert outcome.facts == Facts()
    assert inspector.cameras == ()


def test_a_camera_without_a_key_is_believed_where_none_is_asked_for() -> None:
    sent = message(b"bench")
    assert Admission(max_payload_bytes=10_000, keyed={"top-1"}).judge(sent, None) is sent


def test_a_payload_that_is_too_large_is_left_out_and_keeps_its_place() -> None:
    judged = Admission(max_payload_bytes=1999).judge(message(), None)
    assert reason(judged) is RejectReason.PAYLOAD_SIZE
    prepared = Preparer(stride_px=2, cameras=None, stage=untimed).read(judged)
    assert isinstance(prepared, Refused)
    assert prepared.frame.header.height == 20
    assert prepared.frame.payload.nbytes == 0


@pytest.mark.parametrize("parts", [[bytes(5000)], [b"x", bytes(5000), b""], [bytes(5000)] * 5])
def test_any_part_that_is_too_large_goes(parts: list[bytes]) -> None:
    judged = Admission(max_payload_bytes=1999).judge(Message(parts, 0, 0), None)
    assert reason(judged) is RejectReason.PAYLOAD_SIZE
    assert sum(map(len, judged.parts)) < 5000


def test_too_many_frames_are_left_out_and_keep_their_place() -> None:
    admission = Admission(max_payload_bytes=10_000, max_frames_per_s=2)
    judged = [admission.judge(message(), None) for _ in range(4)]
    assert [reason(each) for each in judged] == [None, None, RejectReason.RATE, RejectReason.RATE]
    assert all(bytes(each.parts[1]) == bytes(judged[0].parts[1]) for each in judged)
    later = admission.judge(message(arrived_ns=SECOND_NS), None)
    assert reason(later) is None


def test_an_impostor_uses_up_his_own_allowance_and_not_the_others() -> None:
    admission = Admission(max_payload_bytes=10_000, keyed={"top-1", "top-2"}, max_frames_per_s=2)
    for _ in range(10):
        admission.judge(message(b"top-1"), "top-2")
    assert reason(admission.judge(message(b"top-1"), "top-1")) is None
    assert reason(admission.judge(message(b"top-2"), "top-2")) is RejectReason.RATE


def test_a_message_without_parts_is_nobodys() -> None:
    judged = Admission(max_payload_bytes=10_000, keyed={"top-1"}).judge(Message([], 0, 0), None)
    assert list(judged.parts) == []


def test_what_is_taken_can_be_read() -> None:
    judged = Admission(max_payload_bytes=10_000, keyed={"top-1"}).judge(message(), "top-1")
    assert isinstance(Preparer(stride_px=2, cameras=None, stage=untimed).read(judged), Read)
