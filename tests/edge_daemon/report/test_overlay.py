from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.report.colours import class_colour
from edge_daemon.report.overlay import SheetItem, contact_sheet, draw_overlay, shrink
from tests.edge_daemon.report.records import DEFECT

GREY = np.full((64, 128), 90, np.uint8)


def test_a_defects_outline_has_the_colour_of_its_class_and_sound_steel_stays_grey() -> None:
    mask = np.zeros_like(GREY)
    mask[30:50, 60:100] = 3
    picture = draw_overlay(GREY, mask, [])
    assert tuple(picture[30, 80].tolist()) == class_colour(3)[::-1]
    assert (picture[mask == 0] == 90).all()
    inside = picture[40, 80]
    assert inside.tolist() != [90, 90, 90]
    assert inside.tolist() != list(class_colour(3)[::-1])


def test_the_box_leaves_the_defect_itself_uncovered() -> None:
    picture = draw_overlay(GREY, None, [replace(DEFECT, bbox_xywh=(60, 30, 20, 10))])
    assert (picture[30:40, 60:80] == 90).all()
    assert (picture != 90).any()


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(0, 63), st.integers(1, 128), st.integers(1, 64)),
        max_size=6,
    ),
    st.text(max_size=30),
    st.integers(1, 255),
)
def test_any_box_and_any_class_name_can_be_drawn(
    boxes: list[tuple[int, int, int, int]], class_name: str, class_id: int
) -> None:
    defects = [
        replace(DEFECT, bbox_xywh=box, class_name=class_name, class_id=class_id) for box in boxes
    ]
    assert draw_overlay(GREY, None, defects).shape == (64, 128, 3)


def test_a_large_frame_becomes_a_picture_that_a_page_can_show() -> None:
    image = np.zeros((4096, 1024), np.uint8)
    mask = np.zeros_like(image)
    mask[2000:2400, 400:800] = 1
    picture = draw_overlay(image, mask, [replace(DEFECT, bbox_xywh=(400, 2000, 400, 400))])
    assert picture.shape == (2048, 512, 3)
    assert shrink(image).shape == (2048, 512)
    assert shrink(GREY) is GREY


def test_a_mask_of_another_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        draw_overlay(GREY, np.zeros((10, 10), np.uint8), [])


def test_a_sheet_holds_all_pictures_in_order_whatever_their_size() -> None:
    items = [
        SheetItem(f"strip {level}", np.full((height, 200, 3), level, np.uint8))
        for level, height in ((50, 40), (100, 80), (200, 40))
    ]
    sheet = contact_sheet(items, columns=2, column_width_px=100)
    assert sheet.shape[1] == 2 * 100 + 3 * 16
    tops = [np.argwhere((sheet == level).all(axis=2)) for level in (50, 100, 200)]
    assert [len(places) >= 20 * 100 for places in tops] == [True] * 3
    assert tops[0][:, 1].max() < tops[1][:, 1].min()
    assert tops[2][:, 0].min() > tops[1][:, 0].max()


def test_a_sheet_without_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
