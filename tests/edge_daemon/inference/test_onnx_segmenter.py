"""The shipped network on ONNX Runtime."""

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.bundle import Bundle, load_bundle, read_known_answer
from edge_daemon.inference.onnx_segmenter import OnnxSegmenter, load_onnx


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


def ask(segmenter: OnnxSegmenter, strip: GreyImage) -> Probabilities:
    return segmenter.segment([strip]).fetch(slice(None))


def changed(bundle: Bundle, part: str, **fields: Any) -> Bundle:  # noqa: ANN401 - a manifest's
    """A bundle whose manifest says something else."""
    manifest = bundle.manifest
    update = {part: getattr(manifest, part).model_copy(update=fields)}
    return dataclasses.replace(bundle, manifest=manifest.model_copy(update=update))


def test_the_answer_is_a_probability_of_each_class_on_the_grid(
    segmenter: OnnxSegmenter, bundle: Bundle
) -> None:
    answer = ask(segmenter, ramps(1)[0, 0])
    stride = segmenter.stride_px
    assert answer.shape == (1, len(bundle.classes), 256 // stride, 1600 // stride)
    assert answer.dtype == np.float32
    assert 0.0 <= answer.min() <= answer.max() <= 1.0


def test_the_network_knows_its_known_answer(segmenter: OnnxSegmenter, bundle: Bundle) -> None:
    strip, expected = read_known_answer(bundle)
    tolerance = bundle.manifest.known_answer.tolerance
    np.testing.assert_allclose(ask(segmenter, strip[0, 0]), expected, rtol=0, atol=tolerance)
    assert expected.max() > 0.5  # control: there is something to know


def test_what_is_counted_lies_above_the_thresholds(
    segmenter: OnnxSegmenter, bundle: Bundle
) -> None:
    strip, _ = read_known_answer(bundle)
    answers = segmenter.segment([strip[0, 0]])
    (planes,) = answers.fetch(slice(1))
    above = [(p > c.threshold).sum() for p, c in zip(planes, bundle.classes, strict=True)]
    assert answers.counts.tolist() == [above]
    assert sum(above) > 0  # control: there is something to count


def test_a_strip_cut_from_a_wider_frame_gives_what_its_copy_gives(segmenter: OnnxSegmenter) -> None:
    wide = np.tile(ramps(1)[0, 0], (1, 2))
    view = wide[:, 100:1700]
    assert not view.flags.c_contiguous
    assert np.array_equal(ask(segmenter, view), ask(segmenter, view.copy()))


@pytest.mark.parametrize(
    "strips",
    [
        np.zeros((1600,), np.uint8),
        np.zeros((255, 1600), np.uint8),
        np.zeros((256, 1600), np.float32),
    ],
    ids=["rank", "height", "type"],
)
def test_what_the_runtime_refuses_is_an_engine_error(
    segmenter: OnnxSegmenter, strips: GreyImage
) -> None:
    with pytest.raises(EngineError, match="ONNX Runtime failed"):
        segmenter.segment([strips])


def test_a_network_of_another_grid_than_the_manifest_says_is_an_engine_error(
    bundle: Bundle,
) -> None:
    classes = len(bundle.classes)
    segmenter = load_onnx(changed(bundle, "output", shape=("N", classes, 128, 800)))
    with pytest.raises(EngineError, match=rf"instead of float32 \(1, {classes}, 128, 800\)"):
        segmenter.segment(ramps(1)[0])


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
