"""Pictures that are no pictures of steel; what `docs/image-quality.md` says is measured here."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.core.picture_quality import (
    PictureFault,
    PictureRules,
    PictureWatch,
    digest,
)
from edge_daemon.core.pixels import GreyImage
from edge_daemon.simulation.line import SyntheticLine

RULES = PictureRules()
BLACK, WHITE = PictureFault.BLACK, PictureFault.WHITE
FROZEN, BLURRED = PictureFault.FROZEN, PictureFault.BLURRED
HEIGHT = 256
REAL = Path(os.environ.get("EDGE_DAEMON_DATA", "nowhere")) / "severstal" / "images"


def drawn(seed: int = 3, frames: int = 12) -> list[GreyImage]:
    """Steel with scratches and patches, frame after frame."""
    length_mm = frames * HEIGHT * 0.5
    line = SyntheticLine(seed=seed, coil_length_mm=length_mm, defects_per_m=4.0)
    return [frame.image for frame in line.frames()]


def noise(mean: float, sigma: float, *, seed: int = 0, shape: tuple[int, int]) -> GreyImage:
    levels = np.random.default_rng(seed).normal(mean, sigma, shape)
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def judge(*images: GreyImage, rules: PictureRules = RULES) -> list[PictureFault | None]:
    """One camera's pictures, one after the other."""
    watch = PictureWatch(rules)
    return [watch.judge(digest(image), stream="s") for image in images]


def blurred(image: GreyImage, sigma: float) -> GreyImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def smeared(image: GreyImage, *, rows: int = 1, columns: int = 1) -> GreyImage:
    return np.asarray(cv2.blur(image, (columns, rows)), np.uint8)


@pytest.fixture(scope="module")
def steel() -> list[GreyImage]:
    return drawn()


def test_drawn_steel_is_fit_as_it_is_and_as_a_jpeg(steel: list[GreyImage]) -> None:
    for seed in (1, 2):
        assert set(judge(*drawn(seed))) == {None}
    packed = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1] for image in steel]
    unpacked = [np.asarray(cv2.imdecode(each, cv2.IMREAD_GRAYSCALE), np.uint8) for each in packed]
    assert set(judge(*unpacked)) == {None}


@pytest.mark.parametrize(
    "dark",
    [
        np.zeros((HEIGHT, 1600), np.uint8),
        noise(5, 2, shape=(HEIGHT, 1600)),
        np.zeros((1, 1), np.uint8),
        np.zeros((16384, 2), np.uint8),
    ],
    ids=["nothing", "dark current", "one pixel", "a column"],
)
def test_a_picture_without_light_is_black(dark: GreyImage) -> None:
    assert judge(dark) == [BLACK]


def test_single_hot_pixels_are_no_light() -> None:
    dark = noise(5, 2, shape=(HEIGHT, 1600))
    dark[:, 800] = 255
    assert judge(dark) == [BLACK]


@pytest.mark.parametrize("rows", [slice(128, 256), slice(0, 128), slice(64, 136)])
def test_a_frame_that_was_half_filled_is_black(steel: list[GreyImage], rows: slice) -> None:
    torn = steel[0].copy()
    torn[rows] = 0
    assert judge(torn) == [BLACK]


@pytest.mark.parametrize("rows", [slice(100, 256), slice(0, 156)])
def test_the_head_and_the_tail_of_a_strip_are_fit(steel: list[GreyImage], rows: slice) -> None:
    passing = steel[0].copy()
    passing[rows] = noise(5, 2, shape=(HEIGHT, 1600))[rows]
    assert judge(passing) == [None]


@pytest.mark.parametrize("columns", [slice(0, 1400), slice(500, 1600)])
def test_dark_beside_the_strip_is_fit(steel: list[GreyImage], columns: slice) -> None:
    narrow = steel[0].copy()
    narrow[:, columns] = 0
    assert judge(narrow) == [None]


def test_a_picture_that_is_saturated_is_white(steel: list[GreyImage]) -> None:
    over_exposed = np.asarray(np.clip(steel[0].astype(np.int16) * 6, 0, 255), np.uint8)
    filled = steel[0].copy()
    filled[150:] = 255
    assert judge(np.full((HEIGHT, 1600), 255, np.uint8)) == [WHITE]
    assert judge(over_exposed) == [WHITE]
    assert judge(filled) == [WHITE]


def test_saturated_beside_a_dark_margin_is_white() -> None:
    picture = np.zeros((HEIGHT, 1600), np.uint8)
    picture[:, 1000:] = 255
    assert judge(picture) == [WHITE]


def test_glare_on_a_fifth_of_the_strip_is_fit(steel: list[GreyImage]) -> None:
    glare = steel[0].copy()
    glare[:, 200:500] = 255
    assert judge(glare) == [None]


def test_the_same_picture_again_is_frozen_until_another_comes(steel: list[GreyImage]) -> None:
    first, second = steel[:2]
    assert judge(first, first, first, second) == [None, FROZEN, FROZEN, None]


def test_rows_left_over_from_the_frame_before_are_frozen(steel: list[GreyImage]) -> None:
    torn = steel[1].copy()
    torn[160:] = steel[0][160:]
    assert judge(steel[0], torn) == [None, FROZEN]


def test_a_standing_strip_is_not_frozen_for_noise_moves_on() -> None:
    still = drawn()[0].astype(np.int16)
    looks = [
        np.asarray(np.clip(still + noise(10, 1, seed=n, shape=still.shape) - 10, 0, 255), np.uint8)
        for n in range(3)
    ]
    assert judge(*looks) == [None, None, None]


def test_the_same_picture_in_another_stream_is_another_photograph(steel: list[GreyImage]) -> None:
    watch = PictureWatch(RULES)
    assert [watch.judge(digest(steel[0]), stream=name) for name in "ab"] == [None, None]


@pytest.mark.parametrize("sigma", [4.0, 6.0, 10.0])
def test_a_lens_out_of_focus_blurs(steel: list[GreyImage], sigma: float) -> None:
    assert set(judge(*[blurred(image, sigma) for image in steel])) == {BLURRED}


@pytest.mark.parametrize(("rows", "columns"), [(15, 1), (1, 15), (31, 1)])
def test_motion_in_one_direction_blurs(steel: list[GreyImage], rows: int, columns: int) -> None:
    assert set(judge(*[smeared(image, rows=rows, columns=columns) for image in steel])) == {BLURRED}


def test_a_picture_of_one_grey_has_neither_noise_nor_detail() -> None:
    grey = np.full((HEIGHT, 1600), 128, np.uint8)
    assert judge(grey) == [FROZEN]
    assert judge(grey, rules=PictureRules(kinds={BLURRED})) == [BLURRED]


def test_blur_under_noise_shows_by_what_the_camera_usually_sees() -> None:
    many = drawn(frames=40)
    soft = [noise(90, 1, seed=n, shape=many[0].shape) for n in range(80)]
    assert set(judge(*soft)) == {None}  # control: alone it can't be told
    found = judge(*many, *soft)
    assert set(found[: len(many)]) == {None}
    assert set(found[len(many) :]) == {BLURRED}  # and never becomes the usual


def test_small_frames_are_not_called_blurred() -> None:
    for shape in ((1, 1), (1, 31), (5, 8), (31, 31)):
        assert judge(np.full(shape, 128, np.uint8)) == [None]


def test_only_what_is_asked_for_is_found(steel: list[GreyImage]) -> None:
    rules = PictureRules(kinds={BLACK})
    pictures = [steel[0], steel[0], blurred(steel[1], 6), np.zeros((HEIGHT, 1600), np.uint8)]
    assert judge(*pictures, rules=rules) == [None, None, None, BLACK]


@pytest.mark.parametrize("shape", [(1, 16384), (16384, 1), (7, 3), (300, 5000)])
def test_a_digest_is_small_whatever_the_picture(shape: tuple[int, int]) -> None:
    assert digest(noise(100, 9, shape=shape)).sample.size <= 64 * 200


def test_a_digest_keeps_nothing_of_the_picture(steel: list[GreyImage]) -> None:
    image = steel[0].copy()
    taken = digest(image)
    before = taken.sample.copy()
    image[:] = 0
    assert np.array_equal(taken.sample, before)


def real_strips() -> Iterable[GreyImage]:
    for path in sorted(REAL.glob("*.jpg")):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        yield np.asarray(image, np.uint8)


def count(images: Iterable[GreyImage], change: Callable[[GreyImage], GreyImage]) -> tuple[int, int]:
    """How many there are, and how many of them are refused, each as the first of its stream."""
    found = [judge(change(image)) for image in images]
    return len(found), sum(kinds != [None] for kinds in found)


@pytest.mark.skipif(not REAL.is_dir(), reason="no real strips: EDGE_DAEMON_DATA names none")
def test_real_strips_are_fit_one_by_one_and_one_after_the_other() -> None:
    watch = PictureWatch(RULES)
    found = [watch.judge(digest(image), stream="s") for image in real_strips()]
    assert len(found) > 1000
    assert set(found) == {None}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not REAL.is_dir(), reason="no real strips: EDGE_DAEMON_DATA names none")
@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda image: blurred(image, 4), 1.0),
        (lambda image: blurred(image, 6), 1.0),
        (lambda image: smeared(image, rows=15), 0.99),
        (lambda image: smeared(image, columns=15), 1.0),
        (lambda image: smeared(image, rows=9), 0.95),
        (lambda image: np.where(np.arange(256)[:, None] < 128, image, 0).astype(np.uint8), 1.0),
        (lambda image: image >> 4, 1.0),
    ],
    ids=["focus 4", "focus 6", "along 15", "across 15", "along 9", "half black", "no lamp"],
)
def test_real_strips_made_bad_are_found(
    change: Callable[[GreyImage], GreyImage], least: float
) -> None:
    total, found = count(real_strips(), change)
    assert found >= least * total, f"{found} of {total}"


def test_a_grabber_that_gives_two_buffers_in_turns_is_frozen(steel: list[GreyImage]) -> None:
    first, second = steel[:2]
    assert judge(*[first, second] * 3) == [None, None, *[FROZEN] * 4]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image[64:].fill(128),
        lambda image: image[:, :1200].fill(100),
        lambda image: np.copyto(image[128:], image[128]),
    ],
    ids=["rows of one grey level", "columns of one grey level", "one line again and again"],
)
def test_a_picture_in_part_without_noise_is_no_steel(
    spoil: Callable[[GreyImage], None], steel: list[GreyImage]
) -> None:
    image = steel[3].copy()
    spoil(image)
    assert judge(image) != [None]
