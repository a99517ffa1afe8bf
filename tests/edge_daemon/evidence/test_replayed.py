"""What evidence is for: the frames of a defect, looked at again, say the same."""

from pathlib import Path
from typing import Any

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.conveyor import Conveyor, Ended, Seen
from edge_daemon.core.messages import DefectEvent
from edge_daemon.core.records import FrameRecord
from edge_daemon.engine import load_configured
from edge_daemon.evidence.keeper import EvidenceKeeper, EvidenceSettings
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer
from edge_daemon.recordings.recording import read_metadata
from edge_daemon.recordings.sources import open_replay
from edge_daemon.replay.player import Pace, Reader
from edge_daemon.replay.session import ReplayRequest, run_replay
from edge_daemon.settings import BundleSection, Config
from tests.edge_daemon.conftest import read_json_lines
from tests.edge_daemon.evidence.steel import Watcher
from tests.edge_daemon.marked_steel import untimed

FRAME_S = 0.064


def inspect(recording: Path, keeper: EvidenceKeeper) -> tuple[list[str], list[FrameRecord]]:
    """Look at a line as the daemon does; returns the ids of the defects told, and all records."""
    told: list[str] = []
    records: list[FrameRecord] = []
    with load_configured(BundleSection(device="cpu")) as engine:
        inspector = Inspector(
            engine.bundle.classes, bundle=engine.name, scales={}, saved={}, stage=untimed
        )
        preparer = Preparer(stride_px=engine.segmenter.stride_px, cameras=None, stage=untimed)
        with (
            Reader(open_replay([recording]), Pace(None)) as reader,
            Conveyor(
                reader, preparer, engine.segmenter, stage=untimed, clock=SystemClock()
            ) as conveyor,
        ):
            while not isinstance(carried := conveyor.take(), Ended):
                assert isinstance(carried, Seen)
                outcome = inspector.settle(carried.prepared, carried.answer)
                records.append(outcome.record)
                keeper.note(carried.prepared.message, outcome.record)
                bodies = [each.body for each in outcome.facts.announcements]
                keeper.note_facts(bodies)
                told += [body.defect_id for body in bodies if isinstance(body, DefectEvent)]
    return told, records


def replay(recording: Path, out: Path) -> list[dict[str, Any]]:
    run_replay(ReplayRequest((recording,), jsonl=out), Config(), progress=lambda *_: None)
    return read_json_lines(out.read_text())


@pytest.mark.timeout(120)
def test_replaying_evidence_gives_the_verdicts_that_were_given_live(
    recording: Path, tmp_path: Path
) -> None:
    watcher = Watcher()
    settings = EvidenceSettings(
        tmp_path / "evidence",
        max_bytes=2**28,
        memory_bytes=2**26,
        before_s=2.5 * FRAME_S,
        after_s=0.5 * FRAME_S,
        leave_free_bytes=0,
    )
    with EvidenceKeeper(settings, clock=SystemClock(), observer=watcher) as keeper:
        told, records = inspect(recording, keeper)
    files = sorted(settings.directory.glob("*.mcap"))
    assert told
    named = {mark for path in files for mark in read_metadata(path)}
    assert named == {f"evidence/{defect_id}" for defect_id in told}
    live = {(record.stream, record.seq): record for record in records}
    defects = set()
    for path in files:
        again = replay(path, tmp_path / "again")
        assert again
        for line in again:
            before = live[line["stream"], line["seq"]]
            assert line["verdict"] == before.verdict.value
            defects |= {defect["id"] for defect in line["defects"]}
    assert defects >= set(told)


@pytest.mark.timeout(120)
def test_replaying_a_broken_recording_twice_gives_the_same_bytes(
    recording: Path, tmp_path: Path
) -> None:
    part = tmp_path / "cut.mcap.part"
    part.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    for name in "ab":
        assert replay(part, tmp_path / name)[-1]["reason"] == "unreadable"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
