"""The verbs, one after the other, as a person would use them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_daemon.inference.bundle import load_bundle
from train.cli.app import app
from train.packing import pack
from train.runs import RunError, RunFolder

ZOO = Path(__file__).parents[2] / "models" / "zoo"
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
    return result.stdout


def as_process(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "train", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environ
    )


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert "train tune" in train("fit", folder, f"data.root={root}", *TINY)
    return folder


@pytest.fixture(scope="module")
def judged(run: Path) -> Path:
    told = train("tune", run, "--objective", "kaggle")
    assert "threshold" in told
    assert "fitted for kaggle" in told
    assert "Held-out strips and clean stretches" in train("eval", run, "--simulated", "2")
    return run


@pytest.fixture(scope="module")
def bundle(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny-net"
    assert "fingerprint" in train("export", judged, folder, "--version", "7", "--commit", "abc")
    return folder


def test_a_finished_run_is_listed_and_has_nothing_left_to_do(run: Path) -> None:
    assert "tiny" in train("list", "--runs", run.parent)
    [row] = json.loads(train("list", "--runs", run.parent, "--json"))
    assert (row["name"], row["step"], row["steps"]) == ("tiny", 2, 2)
    before = RunFolder(run).checkpoint.stat().st_size
    assert "finished" in train("fit", run)
    assert RunFolder(run).checkpoint.stat().st_size == before


def test_a_script_gets_every_figure_with_its_interval(judged: Path) -> None:
    found = json.loads(train("eval", judged, "--simulated", "2", "--json"))
    honest = found["thresholds fitted on other strips"]["held_out"]
    assert 0 <= honest["figures"]["dice_original_mix"] <= 1
    assert set(honest["intervals"]) <= set(honest["figures"])
    assert honest["intervals"]["dice"]["low"] <= honest["figures"]["dice"]
    assert found["its own thresholds"]["simulated"]["figures"]["strips"] == 2


def test_a_run_becomes_a_bundle_that_carries_its_name_and_figures(bundle: Path) -> None:
    manifest = load_bundle(bundle).manifest
    assert (manifest.name, manifest.version) == ("tiny-net", "7")
    assert manifest.provenance.commit == "abc"
    assert manifest.scores


def test_a_bundle_is_judged_and_listed_as_its_run_is(judged: Path, bundle: Path) -> None:
    told = train("eval", judged, "--bundle", bundle, "--simulated", "2")
    assert "bundle's thresholds" in told
    of_bundle, of_run = json.loads(train("list", bundle, judged, "--json"))
    assert of_bundle["parameters"] == of_run["parameters"] > 100_000


def test_a_report_shows_the_worst_simulated_strips_and_names_its_baseline(
    judged: Path, tmp_path: Path
) -> None:
    page, tables = tmp_path / "report.html", tmp_path / "report.md"
    words = ("report", judged, "--out", page, "--markdown", tables, "--no-speed")
    assert "1 runs" in train(*words, "--baseline", judged)
    html = page.read_text("utf-8")
    assert 1 <= html.count("data:image/jpeg;base64,") <= 2
    assert "simulated-0000" in html
    assert not any(name in html for name in RunFolder(judged).split().validation)
    assert "predicting nothing" in tables.read_text("utf-8")


def test_a_report_with_held_out_strips_says_on_which_terms(judged: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ("report", judged, "--out", page, "--pictures", "held-out", "--no-speed")
    assert "not passed on" in train(*words)
    html = page.read_text("utf-8")
    assert "not passed on" in html
    assert any(f"Strip {name}" in html for name in RunFolder(judged).split().validation)


@pytest.mark.slow
def test_a_baseline_that_was_not_judged_is_named(judged: Path, tmp_path: Path) -> None:
    fresh = Path(shutil.copytree(judged, tmp_path / "fresh"))
    (fresh / "scores.json").unlink()
    result = CliRunner().invoke(app, ["report", str(judged), "--baseline", str(fresh)])
    assert "train eval" in str(result.exception)


def test_fine_tuning_takes_the_shape_of_the_bundle_and_goes_on_by_the_same_command(
    root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tuned"
    shaped = [word for word in TINY if not word.startswith("network.")]
    words: list[str | Path] = [folder, f"data.root={root}", f"start={ZOO / 'steel-nano'}", *shaped]
    train("fit", *words)
    network = json.loads((folder / "config.json").read_text())["network"]
    shipped = load_bundle(ZOO / "steel-nano").manifest.provenance.architecture
    assert network == shipped | {"classes": network["classes"]}
    assert "finished" in train("fit", *words)


def test_networks_are_listed_with_their_size() -> None:
    small, large = json.loads(train("list", "steel-nano", "unet-resnet34", "--json"))
    assert small["gflops"] < large["gflops"]
    assert small["parameters"] < large["parameters"]
    assert small["strips_per_s"] is None
    assert "steel-nano" in train("list", "steel-nano")


@pytest.mark.slow
def test_the_speed_of_a_network_is_measured_when_asked_for() -> None:
    [row] = json.loads(train("list", "steel-nano", "--speed", "--json"))
    assert row["strips_per_s"] > 0


def test_a_network_that_is_not_there_is_named_with_the_remedy() -> None:
    result = CliRunner().invoke(app, ["list", "unet-vgg"])
    assert "train list" in str(result.exception)


def test_a_good_data_set_passes_the_check(root: Path) -> None:
    assert "faults: 0 errors" in train("check", root)
    found = json.loads(train("check", root, "--json"))
    assert found["usable"] is True
    assert found["all"]["strips"] == 12
    assert found["all"]["clean"] == 4


def test_a_faulty_data_set_fails_the_check_with_all_faults(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "strips"))
    with (copy / "train.csv").open("a") as table:
        table.write("000.jpg,9,1 5\n001.jpg,1,0 3\n")
    found = json.loads(train("check", copy, "--json", code=1))
    errors = [one for one in found["faults"] if one["severity"] == "error"]
    assert len(errors) >= 2
    assert found["usable"] is False
    assert "error" in train("check", copy, code=1)


def test_a_folder_without_anything_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    assert "errors" in train("check", tmp_path, code=1)
    assert "errors" in train("check", tmp_path / "nowhere", code=1)


def test_a_mistake_ends_in_one_line_and_code_78(tmp_path: Path) -> None:
    done = as_process(
        "fit", tmp_path / "run", f"data.root={tmp_path / 'nowhere'}", "imagenet=false"
    )
    assert done.returncode == 78
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "train check" in done.stderr


def test_a_mistyped_setting_is_named_and_a_mistyped_verb_is_usage(tmp_path: Path) -> None:
    done = as_process("fit", tmp_path / "run", "optim.step=5")
    assert (done.returncode, done.stdout) == (78, "")
    assert "optim.step" in done.stderr
    assert as_process("fti").returncode == 2


@pytest.mark.slow
def test_of_several_processes_only_the_first_tells(run: Path) -> None:
    silent = as_process("fit", run, RANK="1")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert "finished" in as_process("fit", run, RANK="0").stdout


def test_export_before_tuning_names_the_verb(judged: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(judged, tmp_path / "fresh"))
    (folder / "tuning.json").unlink()
    with pytest.raises(RunError, match="train tune"):
        pack(RunFolder(folder), tmp_path / "bundle", name="tiny", version="1", commit="abc")
