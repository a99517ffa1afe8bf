import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.errors import BundleError, EdgeDaemonError, SourceError
from edge_daemon.recordings.recording import read_recording
from edge_daemon.recordings.writing import RecordingWriter
from edge_daemon.replay.session import ReplayRequest, run_replay
from edge_daemon.replay.summary import ReplaySummary
from edge_daemon.settings import CameraSection, Config
from edge_daemon.simulation.strips import draw_strip
from tests.conftest import free_port
from tests.edge_daemon.conftest import read_json_lines

CONFIG = Config(camera=(CameraSection(id="top-1", mm_per_px_along=0.5, mm_per_px_across=0.5),))


@dataclass(frozen=True)
class Replayed:
    """A replay of images, one of which can't be read, and of the beginning of a recording."""

    request: ReplayRequest
    summary: ReplaySummary
    progress: list[tuple[int, int | None]]

    @property
    def jsonl(self) -> bytes:
        assert self.request.jsonl is not None
        return self.request.jsonl.read_bytes()

    @property
    def submission(self) -> bytes:
        assert self.request.submission is not None
        return self.request.submission.read_bytes()


def replay(folder: Path, *sources: Path) -> Replayed:
    folder.mkdir()
    request = ReplayRequest(
        sources,
        jsonl=folder / "frames.jsonl",
        submission=folder / "submission.csv",
        report=folder / "report",
    )
    progress: list[tuple[int, int | None]] = []
    summary = run_replay(request, CONFIG, progress=lambda *now: progress.append(now))
    return Replayed(request, summary, progress)


@pytest.fixture(scope="module")
def sources(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sources")
    images = folder / "images"
    images.mkdir()
    for number, seed in enumerate((3, 8)):
        image, _ = draw_strip(np.random.default_rng(seed))
        cv2.imwrite(str(images / f"{number}.png"), image)
    (images / "0b.png").write_bytes(b"\x89PNG, broken off")
    beginning = folder / "line.mcap"
    with RecordingWriter(beginning) as writer:
        for message in list(read_recording(recording))[:2]:
            writer.write(message.parts, message.received_ns)
    return images, beginning


@pytest.fixture(scope="module")
def replayed(sources: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(tmp_path_factory.mktemp("replayed") / "out", *sources)


def test_every_frame_is_a_line_with_its_source_in_order(replayed: Replayed) -> None:
    lines = read_json_lines(replayed.jsonl.decode())
    assert [line["source"] for line in lines] == ["0.png", "0b.png", "1.png"] + ["line.mcap"] * 2
    assert [line["camera"] for line in lines] == ["replay", None, "replay", "top-1", "top-1"]
    assert [line["coil"] for line in lines[3:]] == ["C1001", "C1001"]


def test_an_image_that_cannot_be_read_is_not_inspected_and_counted(replayed: Replayed) -> None:
    broken = read_json_lines(replayed.jsonl.decode())[1]
    assert (broken["verdict"], broken["reason"]) == ("not_inspected", "unreadable")
    assert replayed.summary.reasons == {"unreadable": 1}
    assert replayed.summary.verdicts["not_inspected"] == 1
    assert replayed.summary.lines_inspected == 4 * 256


def test_the_summary_counts_what_the_lines_say(replayed: Replayed) -> None:
    lines = read_json_lines(replayed.jsonl.decode())
    assert replayed.summary.frames == len(lines) == 5
    assert replayed.summary.verdicts == Counter(line["verdict"] for line in lines)
    defects = {d["id"]: d["class"] for line in lines for d in line["defects"]}
    assert replayed.summary.defects == Counter(defects.values())
    assert replayed.summary.defects.total() > 0


def test_millimetres_are_given_for_the_camera_whose_scale_is_configured(
    replayed: Replayed,
) -> None:
    defects = [
        (line["camera"], "area_mm2" in defect)
        for line in read_json_lines(replayed.jsonl.decode())
        for defect in line["defects"]
    ]
    assert defects
    assert all(has_millimetres == (camera == "top-1") for camera, has_millimetres in defects)


def test_the_submission_marks_the_pixels_that_the_lines_count(replayed: Replayed) -> None:
    header, *rows = replayed.submission.decode().splitlines()
    assert header == "ImageId,ClassId,EncodedPixels"
    marked: Counter[tuple[str, int]] = Counter()
    for row in rows:
        image, class_id, runs = row.split(",")
        marked[image, int(class_id)] += sum(map(int, runs.split()[1::2]))
    counted: Counter[tuple[str, int]] = Counter()
    for line in read_json_lines(replayed.jsonl.decode()):
        for defect in line["defects"]:
            image = line["source"]
            if image.endswith(".mcap"):  # one file, many frames: each has a name of its own
                image = f"{image}/{line['camera']}/{line['stream']}/{line['seq']}"
            counted[image, defect["class_id"]] += defect["area_px"]
    assert marked == counted
    assert marked


@pytest.mark.parametrize("option", ["jsonl", "submission"])
def test_what_is_replayed_is_not_written_over(
    sources: tuple[Path, Path], tmp_path: Path, option: str
) -> None:
    images, beginning = sources
    link = tmp_path / "link.mcap"
    link.symlink_to(beginning)
    for source, output in ((beginning, beginning), (images, images / "0.png"), (beginning, link)):
        before = output.read_bytes()
        request = ReplayRequest((source,))
        if option == "jsonl":
            request = replace(request, jsonl=output)
        else:
            request = replace(request, submission=output)
        with pytest.raises(SourceError, match="is what is replayed"):
            run_replay(request, CONFIG, progress=lambda *_: None)
        assert output.read_bytes() == before


def test_the_same_input_gives_the_same_bytes(
    replayed: Replayed, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    again = replay(tmp_path / "again", *sources)
    assert again.jsonl == replayed.jsonl
    assert again.submission == replayed.submission


def test_a_report_is_written_that_names_the_bundle(replayed: Replayed) -> None:
    assert replayed.request.report is not None
    assert "steel-nano" in (replayed.request.report / "index.html").read_text()


def test_progress_goes_from_the_first_frame_to_the_last(replayed: Replayed) -> None:
    assert replayed.progress == [(done, 5) for done in range(1, 6)]


def refused(error: type[EdgeDaemonError], request: ReplayRequest) -> str:
    with pytest.raises(error) as caught:
        run_replay(request, CONFIG, progress=lambda _done, _total: None)
    return str(caught.value)


def test_a_source_that_is_not_there_is_refused_with_the_remedy(tmp_path: Path) -> None:
    message = refused(SourceError, ReplayRequest((tmp_path / "nowhere",)))
    assert "nowhere doesn't exist: name a folder of images" in message


def test_an_output_that_cannot_be_written_is_refused_by_name(
    sources: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "no" / "folder.jsonl"
    message = refused(SourceError, ReplayRequest(sources[:1], jsonl=target))
    assert message == f"{target}: can't be written (No such file or directory); choose another file"
    message = refused(SourceError, ReplayRequest(sources[:1], submission=tmp_path))
    assert "Is a directory" in message


def test_a_bundle_that_is_none_is_refused(sources: tuple[Path, Path], tmp_path: Path) -> None:
    assert str(tmp_path) in refused(BundleError, ReplayRequest(sources[:1], bundle=tmp_path))


def test_a_broker_that_does_not_take_the_messages_is_a_failure(
    sources: tuple[Path, Path], tmp_path: Path
) -> None:
    port = free_port()
    jsonl = tmp_path / "frames.jsonl"
    request = ReplayRequest(
        sources[1:], jsonl=jsonl, mqtt=f"mqtt://127.0.0.1:{port}", patience_s=0.5
    )
    message = refused(EdgeDaemonError, request)
    assert f"messages were not taken by 127.0.0.1:{port} within 0.5 s" in message
    assert "replay again when the broker is there" in message
    assert len(jsonl.read_text().splitlines()) == 2


def test_without_a_scale_the_defects_are_the_same(replayed: Replayed, tmp_path: Path) -> None:
    jsonl = tmp_path / "frames.jsonl"
    request = ReplayRequest(replayed.request.sources[1:], jsonl=jsonl)
    run_replay(request, Config(), progress=lambda _done, _total: None)
    with_scale = [json.loads(line) for line in replayed.jsonl.splitlines()[3:]]
    without = read_json_lines(jsonl.read_text())
    ids = [[defect["id"] for defect in line["defects"]] for line in with_scale]
    assert [[defect["id"] for defect in line["defects"]] for line in without] == ids
