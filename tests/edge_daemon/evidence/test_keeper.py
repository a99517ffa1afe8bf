import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.messages import DurableBody
from edge_daemon.evidence.keeper import EvidenceKeeper, EvidenceSettings
from edge_daemon.recordings.recording import read_metadata, read_recording
from tests.conftest import wait_until
from tests.edge_daemon.evidence.steel import Watcher, defect, shot

SETTINGS = EvidenceSettings(
    Path("unused"),
    max_bytes=2**24,
    memory_bytes=2**20,
    before_s=1.0,
    after_s=0.5,
    leave_free_bytes=0,
)


@contextmanager
def keeper(
    folder: Path, watcher: Watcher, settings: EvidenceSettings = SETTINGS, *, retry_s: float = 0.1
) -> Iterator[EvidenceKeeper]:
    settings = replace(settings, directory=folder)
    with EvidenceKeeper(settings, clock=SystemClock(), observer=watcher, retry_s=retry_s) as keeper:
        yield keeper


def feed(
    keeper: EvidenceKeeper,
    numbers: Iterable[int],
    told: dict[int, list[DurableBody]] | None = None,
    *,
    camera: str = "top",
    payload: bytes = b"steel",
) -> None:
    """Frames in order; `told` with which frame what was found."""
    for n in numbers:
        keeper.note(*shot(n, camera=camera, payload=payload))
        keeper.note_facts((told or {}).get(n, []))


def contents(folder: Path) -> dict[str, list[int]]:
    """The numbers of the frames in each finished file, by its name."""
    return {
        path.name: [json.loads(message.parts[1])["seq"] for message in read_recording(path)]
        for path in sorted(folder.glob("*.mcap"))
    }


def size_of(folder: Path) -> int:
    """Bytes in the files of a folder while another thread renames and deletes them."""
    size = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def test_frames_before_and_after_a_defect_are_kept_under_its_name(tmp_path: Path) -> None:
    watcher = Watcher()
    with keeper(tmp_path, watcher) as kept:
        feed(kept, range(60), {32: [defect(7, begins_in=30)]})
    assert contents(tmp_path) == {f"20260921T141323.200000Z-top-{7:032x}.mcap": list(range(20, 38))}
    assert watcher.told == {"kept": 18, "finished": 1}
    assert watcher.size == next(tmp_path.glob("*.mcap")).stat().st_size


def test_messages_are_kept_part_by_part_with_their_times(tmp_path: Path) -> None:
    with keeper(tmp_path, Watcher()) as kept:
        feed(kept, range(3), {2: [defect(7, begins_in=2)]})
    (path,) = tmp_path.glob("*.mcap")
    read = [(message.parts, message.received_ns) for message in read_recording(path)]
    assert read == [(shot(n)[0].parts, shot(n)[0].received_ns) for n in range(3)]


def test_defects_close_to_each_other_share_a_file_that_names_them_all(tmp_path: Path) -> None:
    told = {
        10: [defect(1, begins_in=10)],
        14: [defect(2, begins_in=13)],
        60: [defect(3, begins_in=60)],
    }
    with keeper(tmp_path, Watcher()) as kept:
        feed(kept, range(80), {n: list(bodies) for n, bodies in told.items()})
    first, second = sorted(tmp_path.glob("*.mcap"))
    assert contents(tmp_path) == {first.name: list(range(20)), second.name: list(range(50, 66))}
    assert set(read_metadata(first)) == {f"evidence/{1:032x}", f"evidence/{2:032x}"}
    assert read_metadata(second) == {f"evidence/{3:032x}": {"camera": "top"}}


def test_cameras_have_files_of_their_own(tmp_path: Path) -> None:
    with keeper(tmp_path, Watcher()) as kept:
        for n in range(20):
            feed(kept, [n], {9: [defect(1, camera="a", begins_in=9)]}, camera="a")
            feed(kept, [n], {12: [defect(2, camera="b", begins_in=12)]}, camera="b")
            feed(kept, [n], camera="c")
    names = [name.split("-", 1)[1] for name in contents(tmp_path)]
    assert names == [f"a-{1:032x}.mcap", f"b-{2:032x}.mcap"]
    assert list(contents(tmp_path).values()) == [list(range(15)), list(range(2, 18))]


def test_the_first_picture_in_which_nothing_can_be_seen_is_evidence(tmp_path: Path) -> None:
    with keeper(tmp_path, Watcher()) as kept:
        for n in range(200):
            unfit = 50 <= n < 150 or n >= 180
            kept.note(*shot(n, reason="image_quality" if unfit else None))
        kept.note(*shot(0, camera="other", reason="decode_error"))
    assert all(name.endswith("Z-top-image-quality.mcap") for name in contents(tmp_path))
    assert list(contents(tmp_path).values()) == [list(range(40, 56)), list(range(170, 186))]


def test_memory_is_bounded_and_the_newest_frames_are_those_that_stay(tmp_path: Path) -> None:
    watcher = Watcher()
    settings = replace(SETTINGS, memory_bytes=1_000_000, before_s=100.0)
    with keeper(tmp_path, watcher, settings) as kept:
        for n in range(40):
            feed(kept, [n], {39: [defect(1, begins_in=39)]}, payload=bytes(100_000))
            assert kept.size <= 1_000_000
    (numbers,) = contents(tmp_path).values()
    assert numbers == list(range(31, 40))


def test_a_writer_that_stands_still_costs_evidence_but_holds_up_nobody(tmp_path: Path) -> None:
    stuck, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        stuck.set()
        go_on.wait(20)

    watcher = Watcher(on_kept=stand_still)
    settings = replace(SETTINGS, after_s=100.0)
    with keeper(tmp_path, watcher, settings) as kept:
        feed(kept, [0], {0: [defect(1, begins_in=0)]})
        assert stuck.wait(20)
        feed(kept, range(1, 200), payload=bytes(100_000))
        assert kept.size <= settings.memory_bytes
        dropped = watcher.told["slow"]
        assert dropped >= 180
        go_on.set()
    (numbers,) = contents(tmp_path).values()
    assert numbers == list(range(200 - dropped))


def test_a_file_does_not_grow_without_end_and_the_folder_stays_within_its_limit(
    tmp_path: Path,
) -> None:
    watcher = Watcher()
    settings = replace(SETTINGS, max_bytes=4_000_000)
    with keeper(tmp_path, watcher, settings) as kept:
        for n in range(120):
            feed(kept, [n], {n: [defect(n, begins_in=n)]}, payload=bytes(100_000))
            wait_until(lambda: kept.size < 500_000)
            assert size_of(tmp_path) <= 4_100_000
    assert watcher.told["kept"] == 120
    assert watcher.told["deleted"] > 10
    left = [n for numbers in contents(tmp_path).values() for n in numbers]
    assert left == list(range(left[0], 120))
    assert len(left) > 25


def test_a_folder_that_is_not_there_is_trouble_that_passes(tmp_path: Path) -> None:
    blocked = tmp_path / "evidence"
    blocked.write_bytes(b"in the way")
    watcher = Watcher()
    with keeper(blocked, watcher) as kept:
        wait_until(lambda: kept.trouble is not None)
        assert kept.trouble is not None
        assert "evidence can't be kept" in kept.trouble
        feed(kept, [0], {0: [defect(1, begins_in=0)]})
        wait_until(lambda: watcher.told["trouble"] == 1)
        blocked.unlink()
        wait_until(lambda: kept.trouble is None)
        feed(kept, [100], {100: [defect(2, begins_in=100)]})
    assert list(contents(blocked).values()) == [[100]]


def test_an_error_of_the_disk_in_the_middle_is_told_and_what_was_written_is_mended(
    tmp_path: Path,
) -> None:
    watcher = Watcher()
    settings = replace(SETTINGS, max_bytes=2**28, memory_bytes=2**24, after_s=100.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with keeper(tmp_path, watcher, settings) as kept:
        wait_until(lambda: watcher.troubles == [None])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (6_000_000, hard))
            feed(kept, range(100), {0: [defect(1, begins_in=0)]}, payload=bytes(100_000))
            wait_until(lambda: any(watcher.troubles))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        wait_until(lambda: kept.trouble is None)
    assert "File too large" in next(told for told in watcher.troubles if told)
    numbers = [n for each in contents(tmp_path).values() for n in each]
    assert numbers == sorted(numbers)
    assert numbers[:40] == list(range(40))
    assert len(numbers) < 100
    assert not list(tmp_path.glob("*.part"))


ENDLESS = """
import sys
from itertools import count
from pathlib import Path
from edge_daemon.clock import SystemClock
from edge_daemon.evidence.keeper import EvidenceKeeper, EvidenceSettings
from tests.edge_daemon.evidence.steel import Watcher, defect, shot

settings = EvidenceSettings(Path(sys.argv[1]), max_bytes=2**28, memory_bytes=2**24, before_s=1.0,
    after_s=600.0, leave_free_bytes=0)
with EvidenceKeeper(settings, clock=SystemClock(), observer=Watcher()) as keeper:
    for n in count():
        keeper.note(*shot(n, payload=bytes(100_000)))
        keeper.note_facts([defect(n, begins_in=n)] if n % 10 == 0 else [])
        while keeper.size > 2**23:
            pass
"""


def test_what_a_killed_daemon_left_is_whole_after_the_next_start(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        parts = tmp_path.glob
        wait_until(lambda: any(p.stat().st_size > 10_000_000 for p in parts("*.part")))
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.glob("*.part"))
    watcher = Watcher()
    with keeper(tmp_path, watcher, replace(SETTINGS, max_bytes=2**28)):
        wait_until(lambda: watcher.troubles == [None])
    assert not list(tmp_path.glob("*.part"))
    (numbers,) = contents(tmp_path).values()
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 90


@pytest.mark.parametrize("after_s", [0.0, 0.5])
def test_a_camera_that_falls_silent_does_not_keep_its_file_open(
    tmp_path: Path, after_s: float
) -> None:
    watcher = Watcher()
    with keeper(tmp_path, watcher, replace(SETTINGS, after_s=after_s)) as kept:
        feed(kept, range(3), {2: [defect(1, begins_in=2)]})
        feed(kept, [9], camera="other")
    assert watcher.told["finished"] == 1
