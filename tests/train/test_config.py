"""Configurations: defaults, files, overrides, and faults that say where they are."""

from pathlib import Path

import pytest

from edge_daemon.errors import ConfigurationError
from train.config import RunConfig, load_config


def test_no_file_means_the_defaults() -> None:
    assert load_config(None, []) == RunConfig()


def test_overrides_lie_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("seed = 5\n[optim]\nsteps = 10\nbatch = 2\n")
    config = load_config(path, ["optim.steps=20", "data.root=some/where", "imagenet=false"])
    assert (config.seed, config.optim.steps, config.optim.batch) == (5, 20, 2)
    assert config.data.root == Path("some/where")
    assert not config.imagenet


def test_a_saved_configuration_comes_back(tmp_path: Path) -> None:
    config = load_config(None, ["network.decoder_channels=[8, 8]", "optim.batch=3"])
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    assert load_config(path, []) == config


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("steps", "expected key=value"),
        ("optim.stepz=3", "optim.stepz"),
        ("optim.steps=0", "optim.steps"),
        ("optim.steps=many", "optim.steps"),
        ("seed.deeper=1", "seed"),
        ("data.clean_share=1.5", "data.clean_share"),
    ],
)
def test_a_faulty_override_is_named(override: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        load_config(None, [override])


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["network.classes=3"], "data.class_names has 4 entries for network.classes = 3"),
        (["loss.positive_weights=[1.0]"], "loss.positive_weights has 1 entries"),
        (["loss.cross_entropy=0", "loss.dice=0"], "there is nothing to learn"),
        (["optim.accumulate=epoch"], "needs data.sampling"),
        (["loss.distillation=1"], "teacher and loss.distillation go together"),
        (["teacher=runs/large"], "teacher and loss.distillation go together"),
        (["network.image_head=true", "loss.image=0"], "network.image_head needs loss.image"),
    ],
)
def test_what_does_not_fit_together_is_refused(overrides: list[str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        load_config(None, overrides)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run\.toml"):
        load_config(tmp_path / "run.toml", [])
    (tmp_path / "run.toml").write_text("seed = = 1")
    with pytest.raises(ConfigurationError, match=r"run\.toml"):
        load_config(tmp_path / "run.toml", [])


@pytest.mark.parametrize("overrides", [["optim=5", "optim.steps=4"], ["optim.steps.a=5"]])
def test_a_value_is_no_section(overrides: list[str], tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[optim]\nsteps = 3\n")
    with pytest.raises(ConfigurationError, match="is a value, not a section"):
        load_config(file, overrides)


def test_a_prior_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="defective_prior"):
        load_config(None, ["data.defective_prior=0"])
