import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from edge_daemon.config import load_config
from edge_daemon.errors import ConfigurationError
from edge_daemon.settings import CameraSection, Config

EXAMPLE = Path(__file__).parents[2] / "systemd" / "config.toml"
SECTIONS = {name: field.annotation for name, field in Config.model_fields.items()}
SECTIONS["camera"] = CameraSection


def switched_on(text: str) -> str:
    """Return the example with every commented key in force."""
    return re.sub(r"^#(?=\[|\w+ = )", "", text, flags=re.MULTILINE)


def test_the_example_as_it_stands_changes_nothing() -> None:
    assert load_config(EXAMPLE, {}) == Config()


def test_the_example_is_accepted_with_every_key_in_force(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(switched_on(EXAMPLE.read_text()))
    config = load_config(path, {})
    assert [camera.id for camera in config.camera] == ["top-1"]


def test_a_key_that_does_not_exist_would_be_noticed(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(switched_on(EXAMPLE.read_text()).replace("queue_frames", "queue_length"))
    with pytest.raises(ConfigurationError, match="queue_length: unknown key"):
        load_config(path, {})


@pytest.mark.parametrize("name", SECTIONS)
def test_the_example_shows_every_key_and_its_true_default(name: str) -> None:
    section = SECTIONS[name]
    assert isinstance(section, type)
    assert issubclass(section, BaseModel)
    content = tomllib.loads(switched_on(EXAMPLE.read_text()))[name]
    shown = content[0] if isinstance(content, list) else content
    assert set(shown) == set(section.model_fields)
    for key, field in section.model_fields.items():
        if not field.is_required() and field.default is not None:
            assert shown[key] == field.default
