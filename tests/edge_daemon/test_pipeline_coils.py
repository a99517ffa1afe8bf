"""A coil that a camera saw little or nothing of is never told as complete."""

from collections.abc import Sequence

import pytest

from edge_daemon.core.messages import CoilEvent
from edge_daemon.core.placement import Scale
from edge_daemon.outcomes import Facts
from tests.edge_daemon.marked_steel import LineInspector, documents, inspector, message, steel

SECOND_NS = 1_000_000_000
HEIGHT = 64
SCALE = Scale(mm_per_px_along=0.5, mm_per_px_across=0.5)


class Plant:
    """Cameras that send in turns, ten frames a second each, and what was told of coils."""

    def __init__(self, *configured: str) -> None:
        self.scales = dict.fromkeys(configured, SCALE)
        self.line: LineInspector = inspector(scales=self.scales, only_known=bool(configured))
        self.now_ns = SECOND_NS
        self.sent: dict[str, int] = {}
        self.facts: list[Facts] = []

    def run(self, coil: str | None, *cameras: str, frames: int = 3) -> None:
        """Let cameras see a coil."""
        for _ in range(frames):
            self.now_ns += SECOND_NS // 10
            for camera in cameras:
                self.send(camera, coil)

    def send(self, camera: str, coil: str | None) -> None:
        seq = self.sent.get(camera, 0)
        self.sent[camera] = seq + 1
        outcome = self.line.inspect(
            message(
                steel(HEIGHT),
                camera=camera,
                received_ns=self.now_ns,
                t_ns=self.now_ns,
                stream="first",
                seq=seq,
                first_line=seq * HEIGHT,
                coil=coil,
            )
        )
        assert outcome.rejected is None
        self.facts.append(outcome.facts)

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.facts += self.line.stop()
        saved = documents(self.facts)
        self.line = inspector(saved, scales=self.scales, only_known=bool(self.scales))
        self.facts += self.line.start(now_ns=self.now_ns)

    def end(self) -> None:
        self.facts += self.line.close(self.now_ns)

    @property
    def done(self) -> list[CoilEvent]:
        bodies = [told.body for facts in self.facts for told in facts.announcements]
        return [body for body in bodies if isinstance(body, CoilEvent) and body.state == "done"]

    @property
    def complete(self) -> dict[str, bool | None]:
        return {coil.coil: coil.complete for coil in self.done}


def test_a_coil_that_all_configured_cameras_saw_to_its_end_is_complete() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom")
    plant.run("C2", "top", "bottom")
    plant.run(None, "top", "bottom")
    assert plant.complete == {"C1": True, "C2": True}
    assert [coil.cameras for coil in plant.done] == [2, 2]


def test_a_configured_camera_that_never_sends_leaves_every_coil_incomplete() -> None:
    plant = Plant("bottom", "top")
    for coil in ("C1", "C2", None):
        plant.run(coil, "top")
    assert [(c.coil, c.complete, c.cameras, c.coverage) for c in plant.done] == [
        ("C1", False, 1, 1.0),
        ("C2", False, 1, 1.0),
    ]


@pytest.mark.parametrize("configured", [(), ("bottom", "top")])
def test_a_camera_that_dies_in_a_coil_leaves_it_incomplete(configured: Sequence[str]) -> None:
    plant = Plant(*configured)
    plant.run("C1", "top", "bottom")
    for coil in ("C1", "C2", "C3", None):
        plant.run(coil, "top")
    assert plant.complete == {"C1": False, "C2": not configured, "C3": not configured}


def test_a_coil_is_complete_again_once_all_cameras_are_back() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom")
    plant.run("C2", "top")
    plant.run("C3", "top", "bottom")
    plant.run("C4", "top", "bottom")
    assert plant.complete == {"C1": False, "C2": False, "C3": True}


def test_cameras_that_see_a_coil_one_behind_the_other_leave_it_complete() -> None:
    plant = Plant("bottom", "top")
    plant.run(None, "bottom")
    for coil, next_coil in (("C1", "C2"), ("C2", "C3"), ("C3", None)):
        plant.run(coil, "top", "bottom")
        plant.run(next_coil, "top")
    plant.run(None, "bottom")
    assert plant.complete == {"C1": True, "C2": True, "C3": True}


def test_a_coil_that_one_camera_never_names_is_not_complete() -> None:
    plant = Plant("bottom", "top")
    for coil in ("C1", "C2"):
        for _ in range(3):
            plant.run(coil, "top", frames=1)
            plant.run(None, "bottom", frames=1)
    plant.end()
    assert plant.complete == {"C1": False, "C2": False}


def test_a_camera_that_names_no_coil_for_a_while_leaves_it_incomplete() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom")
    plant.run(None, "bottom")
    plant.run("C1", "top", "bottom")
    plant.run(None, "top", "bottom")
    assert plant.complete == {"C1": False}


def test_what_a_slow_camera_still_sends_of_a_coil_that_is_done_is_no_complete_coil() -> None:
    plant = Plant()
    plant.run("C1", "top", "bottom")
    plant.run("C2", "top")
    plant.run("C3", "top")
    plant.run("C1", "bottom")
    plant.run(None, "top", "bottom")
    assert [coil.complete for coil in plant.done if coil.coil == "C1"] == [False, False]


def test_a_stop_in_order_leaves_the_open_coil_incomplete_and_the_next_not() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom")
    plant.restart()
    assert plant.done == []
    plant.run("C1", "top", "bottom")
    plant.run("C2", "top", "bottom")
    plant.run(None, "top", "bottom")
    assert plant.complete == {"C1": False, "C2": True}


def test_a_camera_that_dies_over_a_restart_leaves_what_comes_after_incomplete() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom")
    plant.restart()
    for coil in ("C1", "C2", "C3", None):
        plant.run(coil, "top")
    assert plant.complete == {"C1": False, "C2": False, "C3": False}


def test_a_coil_whose_books_are_lost_is_not_complete_though_it_goes_on() -> None:
    plant = Plant()
    plant.run("C1", "top")
    saved = {k: v for k, v in documents(plant.facts).items() if not k.startswith("coil/")}
    plant.line = inspector(saved)
    plant.line.start(now_ns=plant.now_ns)
    plant.run("C1", "top")
    plant.run("C2", "top")
    assert plant.complete == {"C1": False}


def test_at_the_end_of_the_input_cameras_that_send_to_the_last_have_seen_it_all() -> None:
    plant = Plant("bottom", "top")
    plant.run("C1", "top", "bottom", frames=50)
    plant.end()
    assert plant.complete == {"C1": True}


@pytest.mark.parametrize("configured", [(), ("bottom", "top")])
def test_a_camera_that_fell_silent_did_not_see_the_end_of_the_input(
    configured: Sequence[str],
) -> None:
    plant = Plant(*configured)
    plant.run("C1", "top", "bottom")
    plant.run("C1", "top", frames=50)
    plant.end()
    assert plant.complete == {"C1": False}
