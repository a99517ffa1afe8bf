import threading
from pathlib import Path

from edge_daemon.clock import ManualClock
from edge_daemon.evidence.folder import EvidenceFolder, evidence_name
from edge_daemon.evidence.jobs import Finish, Jobs, Keep, Mark
from edge_daemon.evidence.writer import EvidenceWriter
from edge_daemon.recordings.recording import count_frames
from tests.conftest import wait_until
from tests.edge_daemon.evidence.steel import NOW_NS, SECOND_NS, Watcher, kept

NAME = evidence_name(NOW_NS, "top", "0" * 32)


def writer(
    folder: Path, jobs: Jobs, watcher: Watcher, clock: ManualClock, *, max_bytes: int = 2**24
) -> EvidenceWriter:
    return EvidenceWriter(
        EvidenceFolder(folder, max_bytes=max_bytes, leave_free_bytes=0),
        jobs,
        observer=watcher,
        clock=clock,
        most_file_bytes=2**22,
        idle_s=10.0,
        retry_s=30.0,
    )


def test_a_file_that_nobody_writes_to_is_finished(tmp_path: Path) -> None:
    jobs, watcher, clock = Jobs(), Watcher(), ManualClock()
    with writer(tmp_path, jobs, watcher, clock):
        jobs.put(Keep(NAME, kept(0)))
        wait_until(lambda: watcher.told["kept"] == 1)
        assert watcher.told["finished"] == 0
        clock.advance(11 * SECOND_NS)
        wait_until(lambda: watcher.told["finished"] == 1)
        jobs.put(Keep(NAME, kept(1)))  # late: it gets a file of its own
        jobs.put(Finish(NAME))
    names = {path.name: count_frames(path) for path in tmp_path.glob("*.mcap")}
    assert names == {f"{NAME}.mcap": 1, f"{NAME}-2.mcap": 1}


def test_what_is_told_of_a_file_that_is_not_there_is_of_no_matter(tmp_path: Path) -> None:
    jobs, watcher = Jobs(), Watcher()
    with writer(tmp_path, jobs, watcher, ManualClock()) as working:
        jobs.put(Mark("unknown", "a"))
        jobs.put(Finish("unknown"))
        jobs.put(Keep(NAME, kept(0)))
    assert working.trouble is None
    assert watcher.told == {"kept": 1, "finished": 1}


def test_a_frame_larger_than_the_folder_or_a_recording_is_left_out(tmp_path: Path) -> None:
    jobs, watcher = Jobs(), Watcher()
    with writer(tmp_path, jobs, watcher, ManualClock(), max_bytes=100_000):
        jobs.put(Keep(NAME, kept(0, payload=bytes(200_000))))
        jobs.put(Keep(NAME, kept(0, payload=bytes(2**27))))
        jobs.put(Keep(NAME, kept(0)))
    assert watcher.told == {"full": 1, "too_large": 1, "kept": 1, "finished": 1}


def test_the_thread_leaves_the_processor_to_others(tmp_path: Path) -> None:
    jobs, watcher = Jobs(), Watcher()
    with writer(tmp_path, jobs, watcher, ManualClock()):
        wait_until(lambda: watcher.troubles == [None])
        (thread,) = (each for each in threading.enumerate() if each.name == "evidence")
        fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2]
        own = Path(f"/proc/self/task/{threading.get_native_id()}/stat").read_text()
        assert int(fields.split()[16]) > int(own.rpartition(")")[2].split()[16])
