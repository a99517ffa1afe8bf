"""What a manifest may say of INT8; `test_bundle` holds the rest against whole folders."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.manifest import INT8, Manifest

ZOO = Path(__file__).parents[3] / "models" / "zoo"
DROPS = {"pitting": 0.004, "inclusion": -0.002, "scratch": 0.0, "patch": 0.01}


@pytest.fixture
def content() -> dict[str, Any]:
    """Say of a shipped bundle that it offers INT8."""
    text = (ZOO / "steel-nano" / "bundle.json").read_text()
    content: dict[str, Any] = json.loads(text)
    content["files"][INT8] = "0" * 64
    content["int8"] = {
        "file": INT8,
        "limit": 0.01,
        "dice_drop": dict(DROPS),
        "calibration": {"strips": 64, "method": "percentile"},
    }
    return content


def read(content: dict[str, Any]) -> Manifest:
    return Manifest.model_validate_json(json.dumps(content))


def test_an_offer_within_its_limit_is_taken(content: dict[str, Any]) -> None:
    int8 = read(content).int8
    assert int8 is not None
    assert int8.dice_drop == DROPS
    assert int8.calibration.strips == 64


@pytest.mark.parametrize("name", ["steel-nano", "steel-small"])
def test_a_manifest_that_says_nothing_of_int8_is_written_as_it_was_read(name: str) -> None:
    text = (ZOO / name / "bundle.json").read_text()
    manifest = Manifest.model_validate_json(text)
    assert manifest.model_dump_json(indent=2, by_alias=True, exclude_unset=True) + "\n" == text
    if manifest.int8 is None:
        assert load_bundle(ZOO / name).int8_path is None


def test_a_class_that_loses_more_than_the_limit_is_named(content: dict[str, Any]) -> None:
    content["int8"]["dice_drop"]["scratch"] = 0.0101
    with pytest.raises(ValidationError, match=r"scratch loses 0\.0101 Dice, the limit is 0\.01"):
        read(content)


@pytest.mark.parametrize("name", ["pitting", "rust"])
def test_drops_are_those_of_the_classes(content: dict[str, Any], name: str) -> None:
    drops = content["int8"]["dice_drop"]
    if drops.pop(name, None) is None:
        drops[name] = 0.0
    with pytest.raises(ValidationError, match="every class"):
        read(content)


def test_the_int8_network_is_one_of_the_files(content: dict[str, Any]) -> None:
    del content["files"][INT8]
    with pytest.raises(ValidationError, match=f"files lacks {INT8}"):
        read(content)


@pytest.mark.parametrize("limit", [0, 1, -0.1])
def test_a_limit_that_is_none_is_refused(content: dict[str, Any], limit: float) -> None:
    content["int8"]["limit"] = limit
    with pytest.raises(ValidationError, match="limit"):
        read(content)
