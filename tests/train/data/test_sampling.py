"""What a step sees follows from seed and step, and is mixed as configured."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.config import RunConfig
from train.data.augment import Strength
from train.data.reading import load_strips
from train.data.sampling import Batch, Sampler
from train.data.strips import DataError, StripSet

NONE = StripSet((), (), (), 4)
UNCHANGED = Strength(exposure=0.0, bar=0.0)


def make_strips(
    kinds: Sequence[int] = (1, 2, 3, 4, 0), *, height: int = 64, width: int = 320
) -> StripSet:
    """Make one strip per kind with a band of it in the second fifth; its grey value is its row."""
    images, classes = [], []
    for row, kind in enumerate(kinds):
        images.append(np.full((height, width), 10 + row, np.uint8))
        one = np.zeros((height, width), np.uint8)
        one[:, width // 5 : 2 * width // 5] = kind
        classes.append(one)
    names = tuple(f"{row:03d}" for row in range(len(kinds)))
    return StripSet(names, tuple(images), tuple(classes), 4)


def make_config(*, data: dict[str, Any] | None = None, **optim: Any) -> RunConfig:  # noqa: ANN401 - goes to pydantic
    plain = {"simulated_share": 0.0, "clean_share": 0.0}
    sizes = {"steps": 100, "batch": 4, "crop_width": 64}
    return RunConfig.model_validate(
        {"seed": 7, "data": plain | (data or {}), "optim": sizes | optim}
    )


def sampler(
    strips: StripSet | None = None,
    simulated: StripSet = NONE,
    **config: Any,  # noqa: ANN401 - ditto
) -> Sampler:
    ranks = config.pop("ranks", 1)
    training = make_strips() if strips is None else strips
    return Sampler.of(training, simulated, make_config(**config), ranks=ranks, strength=UNCHANGED)


def rows(batch: Batch) -> list[int]:
    """Which strips a batch of unchanged crops is made of."""
    return [int(grey) - 10 for grey in batch.strips[:, 0, 0, 0]]


def test_a_batch_follows_from_seed_step_and_part() -> None:
    first, again = (sampler(data={"clean_share": 0.4}, accumulate=2).batch(3, 1) for _ in "ab")
    assert np.array_equal(first.strips, again.strips)
    assert np.array_equal(first.classes, again.classes)
    one = sampler(accumulate=2, crop_width=256, batch=8)
    others = [one.batch(3, 0), one.batch(4, 1), one.batch(3, 1)]
    assert len({other.classes.tobytes() for other in others}) == 3


def test_a_step_is_the_same_however_its_crops_are_dealt() -> None:
    together = sampler(batch=8).batch(5)
    dealt = [sampler(batch=2, accumulate=2, ranks=2).batch(5, part) for part in range(4)]
    assert np.array_equal(together.strips, np.concatenate([one.strips for one in dealt]))
    assert np.array_equal(together.classes, np.concatenate([one.classes for one in dealt]))


@pytest.mark.parametrize("step", [10, 90])
def test_epochs_are_the_same_however_their_crops_are_dealt(step: int) -> None:
    epoch = {"sampling": "epoch"}
    together = sampler(data=epoch, batch=20).batch(step)
    dealt = [sampler(data=epoch, batch=10, ranks=2).batch(step, part) for part in range(2)]
    assert np.array_equal(together.strips, np.concatenate([one.strips for one in dealt]))


def test_the_last_part_of_a_run_sees_whole_strips() -> None:
    one = sampler(batch=10, full_width_share=0.25)
    assert one.batch(74).strips.shape == (10, 1, 64, 64)
    assert one.batch(75).strips.shape == (2, 1, 64, 320)


def test_strips_of_different_sizes_are_never_seen_whole() -> None:
    mixed = StripSet(
        ("a", "b"),
        (np.zeros((70, 200), np.uint8), np.zeros((50, 400), np.uint8)),
        (np.ones((70, 200), np.uint8), np.ones((50, 400), np.uint8)),
        4,
    )
    one = sampler(mixed, full_width_share=1.0, crop_width=256)
    assert one.batch(99).strips.shape == (4, 1, 32, 256)


def test_whole_strips_are_filled_up_to_what_the_network_takes() -> None:
    one = sampler(make_strips(height=40, width=200), full_width_share=1.0, crop_width=1600)
    batch = one.batch(0)
    assert batch.strips.shape == (1, 1, 64, 224)
    assert one.crop_hw == (32, 192)
    assert batch.classes.any(axis=(0, 1)).sum() == 40


def test_crops_are_as_high_as_configured() -> None:
    one = sampler(crop_height=32)
    assert one.batch(0).strips.shape == (4, 1, 32, 64)
    assert sampler(crop_height=96).batch(0).strips.shape == (4, 1, 96, 64)


@pytest.mark.parametrize("sampling", ["balanced", "epoch"])
def test_one_low_strip_that_makes_all_crops_low_is_told(sampling: str) -> None:
    low, high = make_strips([1, 0], height=40), make_strips([1, 0, 2], height=256)
    images, classes = low.images + high.images, low.classes + high.classes
    strips = StripSet(tuple("abcde"), images, classes, 4)
    data = {"sampling": sampling}
    (note,) = [one for one in sampler(strips, data=data).notes() if "rows" in one]
    assert note.startswith("crops have 32 rows")
    assert "256" in note
    assert not [n for n in sampler(strips, data=data, crop_height=64).notes() if "rows" in n]


def test_crops_are_shared_among_the_classes_as_configured() -> None:
    one = sampler(data={"class_shares": (0.5, 0.5, 0.0, 0.0), "on_defect_share": 1.0})
    seen = [set(np.unique(c).tolist()) - {0} for step in range(50) for c in one.batch(step).classes]
    assert all(len(classes) == 1 for classes in seen)
    count = Counter(next(iter(classes)) for classes in seen)
    assert set(count) == {1, 2}
    assert 70 < count[1] < 130


def test_crops_are_picked_as_the_mix_says() -> None:
    drawn = make_strips([1] * 3)
    simulated = replace(drawn, images=tuple(image + np.uint8(100) for image in drawn.images))
    shares = {"simulated_share": 0.25, "clean_share": 0.25, "clean_window_share": 0.0}
    one = sampler(make_strips([1, 0]), simulated, data=shares)
    picked = Counter(
        "simulated" if row >= 100 else ("defects", "clean")[row]
        for step in range(100)
        for row in rows(one.batch(step))
    )
    assert 70 < picked["simulated"] < 130
    assert 70 < picked["clean"] < 130
    assert 160 < picked["defects"] < 240


def test_clean_windows_come_from_defective_strips_and_carry_no_label() -> None:
    data = {"clean_share": 1.0, "clean_window_share": 1.0}
    one = sampler(make_strips([1, 2, 0]), data=data)
    batches = [one.batch(step) for step in range(20)]
    assert {row for batch in batches for row in rows(batch)} == {0, 1}
    assert not any(batch.classes.any() for batch in batches)


def test_a_whole_clean_strip_is_put_together_from_pieces() -> None:
    data = {"clean_share": 1.0, "clean_window_share": 1.0}
    one = sampler(make_strips([1, 2]), data=data, full_width_share=1.0)
    batch = one.batch(0)
    assert batch.strips.shape == (1, 1, 64, 320)
    assert set(np.unique(batch.strips)) == {10, 11}


@pytest.mark.parametrize("kinds", [[1, 2], [0, 0], [3]], ids=["no clean", "all clean", "one class"])
@pytest.mark.parametrize("on_simulated", [False, True])
def test_a_set_of_one_kind_is_sampled_all_the_same(kinds: list[int], *, on_simulated: bool) -> None:
    data = {"simulated_share": 0.3, "clean_share": 0.3, "on_defect_share": 1.0}
    one = sampler(make_strips(kinds), make_strips([1, 0]) if on_simulated else NONE, data=data)
    seen = {row for step in range(60) for row in rows(one.batch(step))}
    assert seen == set(range(len(kinds))) | ({0, 1} if on_simulated else set())
    assert one.notes()


def test_an_epoch_takes_every_strip_once_in_a_new_order() -> None:
    one = sampler(make_strips([1, 0, 2, 3, 4, 0, 1]), data={"sampling": "epoch"}, batch=3)
    seen = [row for step in range(14) for row in rows(one.batch(step))]
    epochs = [seen[first : first + 7] for first in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3
    assert one.epoch(7) == pytest.approx(3)


def test_epochs_go_on_where_whole_strips_begin() -> None:
    one = sampler(data={"sampling": "epoch"}, batch=5, steps=4, full_width_share=0.5)
    sizes = [len(rows(one.batch(step))) for step in range(7)]
    assert sizes == [5, 5, 1, 1, 1, 1, 1]
    seen = [row for step in range(7) for row in rows(one.batch(step))]
    assert sorted(seen[10:15]) == list(range(5))


def test_full_batch_descent_sees_every_strip_in_every_step() -> None:
    one = sampler(
        make_strips([1, 0, 2, 3, 4, 0, 1]),
        data={"sampling": "epoch"},
        batch=3,
        accumulate="epoch",
    )
    assert one.parts(0) == 3
    for step in range(3):
        batches = [one.batch(step, part) for part in range(3)]
        assert [len(batch.classes) for batch in batches] == [3, 3, 1]
        assert sorted(row for batch in batches for row in rows(batch)) == list(range(7))
    with pytest.raises(DataError, match=r"step 0 has parts 0\.\.2, not 3"):
        one.batch(0, 3)


def test_parts_are_counted_over_all_ranks() -> None:
    assert sampler(accumulate=3, ranks=2).parts(0) == 6
    with pytest.raises(DataError, match=r"parts 0\.\.5, not -1"):
        sampler(accumulate=3, ranks=2).batch(0, -1)


def test_simulated_strips_of_other_classes_are_refused_where_they_would_be_used() -> None:
    three = replace(make_strips([1, 2, 3]), class_count=3)
    with pytest.raises(DataError, match=r"set data\.simulated_strips=0"):
        sampler(three, make_strips([1]), data={"simulated_share": 0.5})
    assert sampler(three, make_strips([1])).batch(0).strips.shape == (4, 1, 64, 64)


def test_index_masks_of_different_sizes_make_batches(mask_root: Path) -> None:
    strips = load_strips(mask_root, class_count=3)
    one = sampler(strips, data={"clean_share": 0.3}, crop_width=96)
    batches = [one.batch(step) for step in range(10)]
    assert {batch.strips.shape for batch in batches} == {(4, 1, 64, 96)}
    assert {int(k) for batch in batches for k in np.unique(batch.classes)} == {0, 1, 2, 3}


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(DataError, match="no strips to train on"):
        sampler(NONE)
