"""The shipped network on ONNX Runtime, and what is refused as no probability."""

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_daemon.core.tiling import Strips
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.bundle import Bundle, load_bundle, read_known_answer
from edge_daemon.inference.onnx_segmenter import (
    BATCH,
    OnnxSegmenter,
    check_probabilities,
    load_onnx,
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(shipped_bundle())


@pytest.fixture(scope="module")
def segmenter(bundle: Bundle) -> OnnxSegmenter:
    return load_onnx(bundle)


def ramps(count: int) -> Strips:
    """Strips that are all different."""
    rows, columns = np.mgrid[:256, :1600]
    return np.stack([((rows * k + columns) % 256)[None] for k in range(count)]).astype(np.uint8)


def changed(bundle: Bundle, part: str, **fields: Any) -> Bundle:  # noqa: ANN401 - a manifest's
    """A bundle whose manifest says something else."""
    manifest = bundle.manifest
    update = {part: getattr(manifest, part).model_copy(update=fields)}
    return dataclasses.replace(bundle, manifest=manifest.model_copy(update=update))


def test_the_answer_is_a_probability_of_each_class_on_the_grid(
    segmenter: OnnxSegmenter, bundle: Bundle
) -> None:
    answer = segmenter.segment(ramps(2))
    stride = segmenter.stride_px
    assert answer.shape == (2, len(bundle.classes), 256 // stride, 1600 // stride)
    assert answer.dtype == np.float32
    assert 0.0 <= answer.min() <= answer.max() <= 1.0


def test_the_network_knows_its_known_answer(segmenter: OnnxSegmenter, bundle: Bundle) -> None:
    strip, expected = read_known_answer(bundle)
    tolerance = bundle.manifest.known_answer.tolerance
    np.testing.assert_allclose(segmenter.segment(strip), expected, rtol=0, atol=tolerance)
    assert expected.max() > 0.5  # control: there is something to know


def test_many_strips_give_what_each_gives_alone(bundle: Bundle) -> None:
    beats: list[None] = []
    segmenter = load_onnx(bundle, beat=lambda: beats.append(None))
    strips = ramps(BATCH + 2)
    together = segmenter.segment(strips)
    assert len(beats) == 2
    alone = np.concatenate([segmenter.segment(strip[None]) for strip in strips])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "strips",
    [
        np.zeros((1, 256, 1600), np.uint8),
        np.zeros((1, 1, 255, 1600), np.uint8),
        np.zeros((1, 3, 256, 1600), np.uint8),
        np.zeros((1, 1, 256, 1600), np.float32),
    ],
    ids=["rank", "height", "channels", "type"],
)
def test_what_the_runtime_refuses_is_an_engine_error(
    segmenter: OnnxSegmenter, strips: Strips
) -> None:
    with pytest.raises(EngineError, match="ONNX Runtime failed"):
        segmenter.segment(strips)


def test_a_network_of_another_grid_than_the_manifest_says_is_an_engine_error(
    bundle: Bundle,
) -> None:
    classes = len(bundle.classes)
    segmenter = load_onnx(changed(bundle, "output", shape=("N", classes, 128, 800)))
    with pytest.raises(EngineError, match=rf"instead of float32 \(1, {classes}, 128, 800\)"):
        segmenter.segment(ramps(1))


@pytest.mark.parametrize("part", ["input", "output"])
def test_a_network_with_other_names_than_the_manifest_is_refused(bundle: Bundle, part: str) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: takes .* the manifest names .*'pixels'"):
        load_onnx(changed(bundle, part, name="pixels"))


def test_a_network_for_other_strips_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="takes strips of 128 x 800, this daemon cuts 256 x 1600"):
        load_onnx(changed(bundle, "input", shape=("N", 1, 128, 800)))


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x07\x12\x00"])
def test_a_file_that_is_no_network_is_refused_and_named(
    bundle: Bundle, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime can't load it"):
        load_onnx(dataclasses.replace(bundle, directory=tmp_path))


def test_a_network_cut_short_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    network = bundle.onnx_path.read_bytes()
    (tmp_path / "model.onnx").write_bytes(network[: len(network) // 2])
    with pytest.raises(BundleError, match="export the bundle again"):
        load_onnx(dataclasses.replace(bundle, directory=tmp_path))


def test_loading_leaves_the_bundle_as_it_is(bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle.directory, copy)
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in copy.iterdir()}
    load_onnx(load_bundle(copy))
    after = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in copy.iterdir()}
    assert before == after


def test_probabilities_pass() -> None:
    check_probabilities(np.array([[0.0, 0.5, 1.0]], np.float32), (1, 3))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), -1e-6, 1.0 + 1e-6, 7.0]
)
def test_one_value_that_is_no_probability_is_refused(value: float) -> None:
    answers = np.full((2, 2, 4, 5), 0.5, np.float32)
    answers[1, 0, 2, 3] = value
    with pytest.raises(EngineError, match="which is no probability"):
        check_probabilities(answers, answers.shape)


@pytest.mark.parametrize("shape", [(1, 2, 4, 5), (2, 2, 4), (2, 2, 5, 4), (2, 3, 4, 5), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match="instead of float32"):
        check_probabilities(np.full(shape, 0.5, np.float32), (2, 2, 4, 5))


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64, np.uint8])
def test_another_type_is_refused(kind: type[np.generic]) -> None:
    answers: Any = np.zeros((1, 3), kind)
    with pytest.raises(EngineError, match="instead of float32"):
        check_probabilities(answers, (1, 3))
