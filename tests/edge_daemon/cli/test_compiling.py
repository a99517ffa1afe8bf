"""`compile` on a terminal and for scripts."""

import json
from pathlib import Path

import pytest

from edge_daemon.cli.compiling import compile_and_print, describe_remaining
from edge_daemon.errors import BundleError
from edge_daemon.inference.bundle import Bundle
from tests.edge_daemon.plans.conftest import needs_rtx, tiny_network, write_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("tiny") / "bundle", tiny_network())


def compile_tiny(tiny: Bundle, cache: Path, *, as_json: bool) -> None:
    compile_and_print(
        tiny.directory,
        builder="auto",
        flavour="tensorrt_rtx",
        precision="fp16",
        cache=cache,
        force=False,
        as_json=as_json,
    )


@needs_rtx
def test_a_script_gets_the_plan_and_what_it_is(
    tiny: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compile_tiny(tiny, tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert Path(told["plan"]).stat().st_size == told["size"]
    assert told["key"]["flavour"] == "tensorrt_rtx"
    assert told["contents"]["layers"]["CONVOLUTION"] == {"HALF": 1}
    compile_tiny(tiny, tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out) == told


@needs_rtx
def test_people_get_a_table(
    tiny: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compile_tiny(tiny, tmp_path, as_json=False)
    told = capsys.readouterr().out
    for part in ("tensorrt_rtx", "fp16", "probability HALF N x 4 x 64 x 400", "1 HALF"):
        assert part in told


def test_a_folder_without_a_bundle_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json"):
        compile_and_print(
            tmp_path,
            builder="auto",
            flavour="auto",
            precision="fp16",
            cache=tmp_path,
            force=False,
            as_json=False,
        )


def test_estimates_are_no_more_exact_than_they_are() -> None:
    assert describe_remaining(None) == "no estimate yet"
    assert describe_remaining(7.4) == "about 7 s left"
    assert describe_remaining(200.0) == "about 3 min left"
