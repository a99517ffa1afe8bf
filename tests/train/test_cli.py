"""The verbs, one after the other, as a person would use them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_daemon.inference.bundle import load_bundle
from train.cli import app
from train.packing import pack
from train.runs import RunError, RunFolder

TINY = (
    "imagenet=false",
    "threads=1",
    "network.decoder_channels=[8, 8, 8, 8]",
    "data.validation_share=0.3",
    "data.simulated_strips=2",
    "optim.steps=2",
    "optim.batch=2",
    "optim.crop_width=128",
)


def train(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train("fit", folder, f"data.root={root}", *TINY)
    return folder


def test_from_a_run_to_a_bundle(run: Path, tmp_path: Path) -> None:
    assert "threshold" in train("tune", run, "--simulated", "1")
    judged = train("eval", run, "--simulated", "2")
    assert "validation" in judged
    assert "simulated" in judged
    bundle = tmp_path / "tiny-net"
    assert "fingerprint" in train("export", run, bundle, "--version", "7", "--commit", "abc")
    manifest = load_bundle(bundle).manifest
    assert (manifest.name, manifest.version) == ("tiny-net", "7")
    assert manifest.provenance.commit == "abc"
    assert manifest.scores["simulated/strips"] == 2
    assert "PAO Severstal" in (bundle / "card.md").read_text()
    assert "validation" in train("eval", run, "--bundle", bundle, "--simulated", "2")


def test_a_finished_run_is_listed_and_has_nothing_left_to_do(run: Path) -> None:
    assert "tiny" in train("list", run.parent)
    before = RunFolder(run).checkpoint.stat().st_size
    train("fit", run)
    assert RunFolder(run).checkpoint.stat().st_size == before


def test_a_good_data_set_passes_the_check(root: Path) -> None:
    assert "faults: 0" in train("check", root)


def test_a_faulty_data_set_fails_the_check_with_all_faults(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "strips"))
    with (copy / "train.csv").open("a") as table:
        table.write("000.jpg,9,1 5\n001.jpg,1,0 3\n")
    output = train("check", copy, code=1)
    assert "is not 1..4" in output
    assert "starts before pixel 1" in output


def test_a_mistake_ends_in_one_line_and_code_78(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "train", "check", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_export_before_tuning_names_the_verb(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "fresh"))
    (folder / "classes.json").unlink(missing_ok=True)
    with pytest.raises(RunError, match="train tune"):
        pack(RunFolder(folder), tmp_path / "bundle", name="tiny", version="1", commit="abc")
