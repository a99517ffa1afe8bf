"""Folders of images and bundles with what people, and not only people, leave in them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_USAGE, BundleError
from edge_daemon.inference.bundle import load_bundle, read_known_answer
from tests.bad_input.cases import picture
from tests.bad_input.pictures import hand_made_png, jpeg, png, small_tiff, zeros_packed
from tests.bad_input.test_properties import at_most_mib
from tests.edge_daemon.conftest import edge_daemon, read_json_lines

# Runs the command line and leaves what it took; rusage would count the process that forked it, too.
REPORTING = """
import pathlib, sys
from edge_daemon.cli import main
used = pathlib.Path(sys.argv.pop(1))
try:
    main()
finally:
    used.write_text(pathlib.Path("/proc/self/status").read_text())
"""
MOST_RSS_MIB = 768
"""Of a replay of small images, whatever lies beside them."""
GOOD_IMAGES = ("a good.png", "z good.jpg")
UNREADABLE = {
    "claims too much.png": hand_made_png(2**31 - 1, 2**31 - 1, zeros_packed(1000)),
    "cut.jpg": jpeg(picture(3))[:-100],
    "empty.png": b"",
    "mcap.png": b"\x89MCAP0\r\n",
    "text.tif": b"not an image",
    "gigabytes.tif": small_tiff(30_000, 30_000),
    "too wide.png": hand_made_png(16385, 1, zeros_packed(16386)),
}
NO_IMAGES = ("folder.png", ".hidden.png", "readme.txt", "noimage")


def fill(folder: Path) -> None:
    """A folder with two images and all that is none."""
    (folder / GOOD_IMAGES[0]).write_bytes(png(picture(1)))
    (folder / GOOD_IMAGES[1]).write_bytes(jpeg(picture(2)))
    for name, content in UNREADABLE.items():
        (folder / name).write_bytes(content)
    for name in NO_IMAGES[1:]:
        (folder / name).write_bytes(png(picture(3)))
    (folder / NO_IMAGES[0]).mkdir()
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "dangling.png").symlink_to(folder / "nothing")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    with (folder / "sparse.bmp").open("wb") as file:
        file.truncate(2**40)
    (folder / os.fsdecode(b"latin-\xfc.png")).write_bytes(png(picture(4)))


def test_a_replay_inspects_what_can_be_read_and_counts_the_rest(tmp_path: Path) -> None:
    fill(tmp_path)
    jsonl, said = tmp_path / "out.jsonl", tmp_path / "said.txt"
    used = tmp_path.with_suffix(".used")
    command = [sys.executable, "-c", REPORTING, str(used)]
    with said.open("wb") as out:
        done = subprocess.run(
            [*command, "replay", str(tmp_path), "--jsonl", str(jsonl)],
            stdout=out,
            stderr=out,
            check=False,
        )
    assert done.returncode == 0, said.read_text()
    lines = read_json_lines(jsonl.read_text())
    inspected = [line["source"] for line in lines if line["verdict"] != "not_inspected"]
    assert inspected == [GOOD_IMAGES[0], r"latin-\xfc.png", GOOD_IMAGES[1]]
    unread = {line["source"]: line["reason"] for line in lines if line["reason"]}
    specials = {"fifo.png", "zero.png", "dangling.png", "loop.png", "sparse.bmp"}
    assert unread == dict.fromkeys(UNREADABLE.keys() | specials, "unreadable")
    assert "Traceback" not in said.read_text()
    peak_kib = next(int(x.split()[1]) for x in used.read_text().splitlines() if "VmHWM" in x)
    assert peak_kib < MOST_RSS_MIB * 1024


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("replay /nowhere", EXIT_FAILED, "doesn't exist"),
        ("replay /dev/zero /proc/self/mem", 0, "unreadable"),
        ("replay {folder}/readme.txt", EXIT_FAILED, "has no images"),
        ("replay {folder} --bundle /nowhere", EXIT_CONFIGURATION, "bundle.json"),
        ("replay {folder} --camera a/b", EXIT_FAILED, "camera id"),
        ("replay {folder} --speed -1", EXIT_USAGE, "--speed"),
        ("camera {folder} --connect nowhere", EXIT_FAILED, "nowhere"),
    ],
)
def test_what_is_asked_for_wrongly_ends_with_its_code_and_a_reason(
    arguments: str, code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "readme.txt").mkdir()
    (tmp_path / "a.png").write_bytes(png(picture(1)))
    done = edge_daemon(*arguments.format(folder=tmp_path).split())
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert said in output
    assert "Traceback" not in output


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_bundle(), tmp_path / "bundle"))


def refusal_of(bundle: Path) -> str:
    with pytest.raises(BundleError) as caught, at_most_mib(64):
        read_known_answer(load_bundle(bundle))
    assert caught.value.exit_code == EXIT_CONFIGURATION
    assert len(str(caught.value)) < 2000
    return str(caught.value)


def change(bundle: Path, **changes: Any) -> None:  # noqa: ANN401 - JSON
    path = bundle / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "a\0b",
        "a\n",
        "bundle.json/x",
        "x" * 65,
        "\u202eexe",
    ],
)
def test_a_name_that_may_lead_elsewhere_is_refused(name: str, bundle: Path) -> None:
    files = json.loads((bundle / "bundle.json").read_text())["files"]
    change(bundle, files=files | {name: "0" * 64})
    assert "bundle.json" in refusal_of(bundle)
    change(bundle, files=files, known_answer={"file": name, "tolerance": 0.1})
    assert "bundle.json" in refusal_of(bundle)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"schema": 1, "schema": 2}',
        b'{"schema": NaN}',
        b'{"schema": 1e999}',
        b'{"schema": ' + b"9" * 5000 + b"}",
        b" " * (2**20 + 1),
        b'{"a": "' + b"x" * 2**24 + b'"}',
    ],
    ids=range(12),
)
def test_a_manifest_that_is_none_is_refused(content: bytes, bundle: Path) -> None:
    (bundle / "bundle.json").write_bytes(content)
    assert "bundle.json" in refusal_of(bundle)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_a_manifest_that_is_no_file_is_refused(kind: str, bundle: Path) -> None:
    path = bundle / "bundle.json"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert "bundle.json" in refusal_of(bundle)


@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "link into it", "missing", "altered"])
def test_a_file_that_is_not_what_was_packed_is_named(kind: str, bundle: Path) -> None:
    path = bundle / "model.onnx"
    altered = path.read_bytes()[:-1] + b"!"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind.startswith("link"):
        path.symlink_to("card.md" if kind == "link into it" else "/dev/zero")
    elif kind == "altered":
        path.write_bytes(altered)
    assert "model.onnx" in refusal_of(bundle)


def test_a_known_answer_that_unpacks_to_gigabytes_is_refused(bundle: Path) -> None:
    answer = bundle / json.loads((bundle / "bundle.json").read_text())["known_answer"]["file"]
    zeros = bytes(2**20)
    with zipfile.ZipFile(answer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("strip.npy", "w", force_zip64=True) as member:
            for _ in range(128):
                member.write(zeros)
        archive.writestr("probability.npy", b"")
    files = json.loads((bundle / "bundle.json").read_text())["files"]
    change(bundle, files=files | {answer.name: hashlib.sha256(answer.read_bytes()).hexdigest()})
    assert "unpacks to" in refusal_of(bundle)
