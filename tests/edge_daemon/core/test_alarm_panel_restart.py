"""What rings after a restart."""

import pytest

from edge_daemon.core.picture_quality import PictureFault
from tests.edge_daemon.control_room import Room


@pytest.mark.parametrize("cameras", [(), ("dead", "top")])
def test_a_restart_does_not_call_a_dead_camera_alive(cameras: tuple[str, ...]) -> None:
    room = Room(*cameras)
    room.frame("dead")
    before = room.wait(40, "top")["camera-silent"]
    assert before.active
    room = room.restarted(*cameras)
    assert room.look()["camera-silent"] == before
    assert "camera-silent" not in room.wait(100, "top")
    assert not room.wait(15, "top", "dead")["camera-silent"].active


def test_a_camera_that_died_just_before_a_restart_is_kept_though_not_told_yet() -> None:
    room = Room()
    room.frame("first")
    room.wait(2, "second")
    assert room.wait(30, "top")["camera-silent"].text == "first: no frames"
    assert "camera-silent" not in room.wait(3, "top")
    told = room.restarted().look()["camera-silent"]
    assert (told.count, told.text) == (2, "second: no frames; first: no frames")


def test_a_camera_that_retired_is_got_rid_of_by_listing_the_others() -> None:
    room = Room()
    room.frame("retired")
    room.wait(40, "top")
    told = room.restarted("top").wait(15, "top")["camera-silent"]
    assert (told.active, told.count) == (False, 1)


def test_bad_pictures_go_on_over_a_restart_without_ringing_anew() -> None:
    room = Room()
    room.picture("top", PictureFault.BLACK)
    before = room.wait(5)["image-quality"]
    room = room.restarted()
    assert room.look()["image-quality"] == before
    room.wait(3)
    room.picture("top", PictureFault.BLACK)
    assert "image-quality" not in room.wait(40)
