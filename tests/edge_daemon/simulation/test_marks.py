import numpy as np

from edge_daemon.simulation.marks import (
    SCRATCH,
    SOUND,
    Mark,
    apply_mark,
    coarse_label,
    make_false_friend,
)


def block(kind: str = "block", class_id: int = SCRATCH, height: int = 6, width: int = 4) -> Mark:
    return Mark(
        kind,
        class_id,
        np.full((height, width), 0.5, np.float32),
        np.ones((height, width), np.bool_),
    )


def test_a_mark_across_the_border_is_cut_off_and_the_rest_lands_in_the_next_picture() -> None:
    on_steel = np.ones((10, 10), np.bool_)
    above, below = np.full((2, 10, 10), 100, np.float32)
    masks = np.zeros((2, 10, 10), np.uint8)
    first = apply_mark(above, masks[0], block(), top=7, left=3, on_steel=on_steel)
    second = apply_mark(below, masks[1], block(), top=-3, left=3, on_steel=on_steel)
    assert first is not None
    assert second is not None
    assert (first.top, first.left, int(first.labelled.sum())) == (7, 3, 12)
    assert (second.top, second.left, int(second.labelled.sum())) == (0, 3, 12)
    assert masks.sum() == SCRATCH * 24
    assert np.array_equal(above < 100, masks[0] > 0)


def test_a_mark_outside_the_picture_touches_nothing() -> None:
    levels, mask = np.full((10, 10), 100, np.float32), np.zeros((10, 10), np.uint8)
    on_steel = np.ones((10, 10), np.bool_)
    assert apply_mark(levels, mask, block(), top=10, left=0, on_steel=on_steel) is None
    assert apply_mark(levels, mask, block(), top=0, left=-4, on_steel=on_steel) is None
    assert levels.min() == 100
    assert not mask.any()


def test_an_earlier_class_is_kept_and_there_is_no_defect_beside_the_strip() -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[0] = 4
    on_steel = np.ones((10, 10), np.bool_)
    on_steel[:, :2] = False
    levels = np.full((10, 10), 100, np.float32)
    footprint = apply_mark(levels, mask, block(), top=0, left=0, on_steel=on_steel)
    assert footprint is not None
    assert footprint.labelled.sum() == 5 * 2
    assert (mask[0] == 4).all()
    assert not mask[1:, :2].any()


def test_a_coarse_label_is_one_piece_and_a_little_bigger_than_the_defect() -> None:
    support = np.zeros((60, 60), np.bool_)
    support[25:35, 20:40] = True
    support[2, 2] = True
    label = coarse_label(support, margin=5)
    assert label[support][1:].all()
    assert 200 < label.sum() < 30 * 20
    assert not label[2, 2]


def test_a_false_friend_has_no_label() -> None:
    friend = make_false_friend("paint", np.full((5, 5), 3.0))
    assert friend.class_id == SOUND
    assert not friend.label.any()
