import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_daemon.cli.app import app
from edge_daemon.cli.replaying import parse_speed
from tests.edge_daemon.conftest import read_json_lines


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Make a folder of two images, one of which can't be read."""
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(90, 110, (64, 256), np.uint8)
    cv2.imwrite(str(folder / "a.png"), noise)
    (folder / "b.png").write_bytes(b"")
    return folder


def test_a_speed_is_a_factor_or_max() -> None:
    assert parse_speed("max") is None
    assert parse_speed("2") == 2.0
    assert math.isclose(parse_speed("0.25") or 0, 0.25)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "", "MAX", "2x"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="a number above 0, or max"):
        parse_speed(text)


def test_lines_on_standard_output_are_alone_there(images: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(images), "--jsonl", "-"])
    assert done.exit_code == 0
    assert [line["source"] for line in read_json_lines(done.stdout)] == ["a.png", "b.png"]
    assert "not inspected" in done.stderr


def test_the_table_counts_what_could_not_be_read_and_the_exit_code_is_0(
    images: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "out.jsonl"
    done = CliRunner().invoke(app, ["replay", str(images), "--jsonl", str(lines)])
    assert done.exit_code == 0
    rows = dict(
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if line.startswith("│")
    )
    assert rows["frames"] == "2"
    assert rows["not inspected"] == "1"
    assert rows["unreadable"] == "1"
    assert rows["rows inspected"] == "64"
    assert len(lines.read_text().splitlines()) == 2


def test_the_sums_are_given_to_scripts_as_json(images: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(images), "--json"])
    assert done.exit_code == 0
    sums = json.loads(done.stdout)
    assert (sums["frames"], sums["not_inspected"]) == (2, 1)
    assert sums["reasons"] == {"unreadable": 1}
    assert {"decode", "cut", "segment", "find", "book"} <= set(sums["stage_seconds"])


def test_images_may_be_one_strip_of_a_named_camera(images: Path) -> None:
    arguments = ["replay", str(images), "--jsonl", "-", "--camera", "top-2", "--continuous"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert read_json_lines(done.stdout)[0]["camera"] == "top-2"
