import io
import struct
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st
from mcap.opcode import Opcode
from mcap.writer import MCAP0_MAGIC

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.mcap_file import (
    MAX_RECORD_BYTES,
    Losses,
    read_summary,
    scan,
    top_records,
)


def framed(opcode: int, body: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(body)) + body


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=20)), max_size=5), st.data())
def test_records_are_found_up_to_a_cut_and_the_cut_one_is_marked(
    records: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(framed(opcode, body) for opcode, body in records)
    size = data.draw(st.integers(0, len(whole)))
    found = []
    try:
        for record in scan(io.BytesIO(whole[:size]), size):
            found += [record]
    except RecordingError:
        pass
    sound = [(record.opcode, record.body) for record in found if not record.is_cut]
    assert sound == records[: len(sound)]
    assert sum(9 + len(body) for _, body in sound) <= size
    assert all(body.startswith(r.body) for r, (_, body) in zip(found, records, strict=False))


def test_a_record_over_the_limit_is_not_loaded_even_if_its_bytes_are_there(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    with path.open("wb") as file:
        file.write(MCAP0_MAGIC + struct.pack("<BQ", Opcode.CHUNK, MAX_RECORD_BYTES + 1))
        file.truncate(MAX_RECORD_BYTES + 1000)
    losses = Losses()
    assert list(top_records(path, losses)) == []
    assert "is the most" in str(losses)


def test_a_file_without_an_end_is_told_from_a_finished_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    for end, complaints in ((framed(Opcode.DATA_END, bytes(4)), 0), (b"", 1)):
        path.write_bytes(MCAP0_MAGIC + framed(Opcode.METADATA, b"x") + end)
        losses = Losses()
        assert len(list(top_records(path, losses))) == 1
        assert losses.count == complaints


def test_only_the_first_losses_are_kept_in_words() -> None:
    losses = Losses()
    for n in range(1000):
        losses.add(f"loss {n}")
    assert str(losses) == "loss 0; loss 1; loss 2; and 997 more"


@settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60), st.integers(0, 100) | st.integers(0, 2**64 - 1))
def test_no_footer_makes_the_summary_reader_fail(tmp_path: Path, body: bytes, start: int) -> None:
    path = tmp_path / "x.mcap"
    footer = framed(Opcode.FOOTER, struct.pack("<QQI", start, 0, 0))
    path.write_bytes(MCAP0_MAGIC + body + footer + MCAP0_MAGIC)
    channels, _ = read_summary(path)
    assert len(channels) <= len(body)
