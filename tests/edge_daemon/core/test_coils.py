"""When a coil begins, when it is done, and what its summary says."""

from edge_daemon.core.coils import CoilBook, CoilState
from edge_daemon.core.defects import DefectClass
from edge_daemon.core.messages import CoilEvent

CLASSES = (
    DefectClass(3, "scratch", 0.5, 1, "major"),
    DefectClass(4, "patch", 0.5, 1, "critical"),
)
SECOND_NS = 1_000_000_000


def enter(book: CoilBook, camera: str, coil: str | None, *, second: int = 0) -> list[str]:
    """What is told when a camera sees a coil: `+` for begun, `-` for done."""
    events = book.enter(camera, coil, t_ns=second * SECOND_NS, position_mm=float(second))
    return [("+" if event.state == "begun" else "-") + event.coil for event in events]


def done(book: CoilBook) -> CoilEvent:
    """The summary of the one coil that is open."""
    (event,) = book.close_all(9 * SECOND_NS)
    return event


def test_a_coil_begins_with_the_first_frame_that_names_it() -> None:
    book = CoilBook(CLASSES)
    (begun,) = book.enter("top", "C1", t_ns=3 * SECOND_NS, position_mm=12.5)
    assert begun == CoilEvent(
        state="begun", coil="C1", begun_at="1970-01-01T00:00:03.000000Z", from_mm=12.5
    )
    assert enter(book, "top", "C1") == []


def test_a_coil_is_done_when_its_only_camera_sees_another() -> None:
    book = CoilBook(CLASSES)
    assert enter(book, "top", "C1") == ["+C1"]
    assert enter(book, "top", "C2") == ["-C1", "+C2"]
    assert enter(book, "top", None) == ["-C2"]
    assert enter(book, "top", None) == []


def test_a_coil_is_done_when_its_last_camera_sees_another() -> None:
    book = CoilBook(CLASSES)
    assert enter(book, "top", "C1") == ["+C1"]
    assert enter(book, "bottom", "C1") == []
    assert enter(book, "top", "C2") == ["+C2"]
    assert enter(book, "top", "C2") == []
    assert enter(book, "bottom", "C2") == ["-C1"]


def test_a_camera_that_fell_silent_holds_no_coil_open_for_ever() -> None:
    book = CoilBook(CLASSES)
    enter(book, "silent", "C1")
    enter(book, "top", "C1")
    assert enter(book, "top", "C2") == ["+C2"]
    assert enter(book, "top", "C3") == ["-C1", "-C2", "+C3"]
    assert [coil.coil for coil in book.open_coils] == ["C3"]


def test_a_third_coil_closes_the_oldest_though_cameras_see_it() -> None:
    book = CoilBook(CLASSES)
    for camera, coil in (("a", "C1"), ("b", "C2")):
        enter(book, camera, coil)
    assert enter(book, "c", "C3") == ["-C1", "+C3"]


def test_the_summary_counts_rows_and_defects_of_all_cameras() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1", second=2)
    enter(book, "bottom", "C1", second=3)
    book.book_lines("C1", inspected=300)
    book.book_lines("C1", not_inspected=100)
    book.book_defect("C1", "scratch", severity="major")
    book.book_defect("C1", "scratch", severity="major")
    book.book_defect("C1", "patch", severity="critical")
    book.extend("C1", 50.0)
    book.extend("C1", 40.0)
    book.extend("C1", None)
    assert done(book) == CoilEvent(
        state="done",
        coil="C1",
        begun_at="1970-01-01T00:00:02.000000Z",
        done_at="1970-01-01T00:00:09.000000Z",
        from_mm=2.0,
        to_mm=50.0,
        cameras=2,
        lines_inspected=300,
        lines_not_inspected=100,
        coverage=0.75,
        complete=False,
        defects=3,
        defects_minor=0,
        defects_major=2,
        defects_critical=1,
        defects_scratch=2,
        defects_patch=1,
    )


def test_a_coil_is_complete_if_every_row_of_it_was_inspected() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=300)
    event = done(book)
    assert (event.complete, event.coverage) == (True, 1.0)


def test_a_coil_of_which_nobody_saw_a_row_is_not_complete() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    event = done(book)
    assert (event.complete, event.coverage) == (False, 0.0)


def test_a_torn_coil_is_not_complete() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=300)
    book.tear(None, "C0", "C1")
    event = done(book)
    assert (event.complete, event.coverage) == (False, 1.0)


def test_rows_of_no_coil_and_of_coils_that_are_done_are_nobodys() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    for coil in (None, "C0"):
        book.book_lines(coil, inspected=5, not_inspected=5)
        book.book_defect(coil, "scratch", severity="major")
        book.extend(coil, 5.0)
    event = done(book)
    assert (event.lines_inspected, event.lines_not_inspected, event.defects) == (0, 0, 0)


def test_rows_are_taken_back_from_the_coil_that_the_camera_booked_them_on() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=300, not_inspected=50)
    book.retract_lines("top", "C1", inspected=100, not_inspected=20)
    event = done(book)
    assert (event.lines_inspected, event.lines_not_inspected) == (200, 30)


def test_rows_are_not_taken_back_from_a_coil_that_has_begun_again_and_never_had_them() -> None:
    book = CoilBook(CLASSES)
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=100)
    enter(book, "top", "C2")
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=10)
    book.retract_lines("top", "C1", inspected=100)
    assert done(book).lines_inspected == 0


def test_a_coil_is_complete_only_if_every_expected_camera_took_part() -> None:
    for cameras, complete in ((("top",), False), (("top", "bottom"), True)):
        book = CoilBook(CLASSES, expected=("bottom", "top"))
        for camera in cameras:
            enter(book, camera, "C1")
        book.book_lines("C1", inspected=300)
        event = done(book)
        assert (event.complete, event.coverage, event.cameras) == (complete, 1.0, len(cameras))


def test_a_coil_that_a_camera_was_not_seen_to_leave_is_not_complete() -> None:
    book = CoilBook(CLASSES)
    enter(book, "silent", "C1")
    enter(book, "top", "C1")
    book.book_lines("C1", inspected=300)
    enter(book, "top", "C2")
    book.book_lines("C2", inspected=300)
    first, second, _ = book.enter("top", "C3", t_ns=0, position_mm=None)
    assert (first.coil, first.complete, first.coverage) == ("C1", False, 1.0)
    assert (second.coil, second.complete) == ("C2", True)


def test_a_coil_that_a_camera_left_and_came_back_to_is_not_complete() -> None:
    book = CoilBook(CLASSES)
    for camera, coil in (("top", "C1"), ("bottom", "C1"), ("top", None), ("top", "C1")):
        enter(book, camera, coil)
    book.book_lines("C1", inspected=300)
    assert not done(book).complete


def test_a_coil_that_begins_with_a_camera_already_in_it_is_not_complete() -> None:
    book = CoilBook(CLASSES)
    book.enter("top", "C1", t_ns=0, position_mm=None, goes_on=True)
    book.book_lines("C1", inspected=300)
    assert not done(book).complete


def test_coils_that_an_older_version_saved_go_on() -> None:
    text = (
        '{"coil":"C1","begun_ns":5,"from_mm":null,"to_mm":null,"cameras":["top"],'
        '"present":["top"],"lines_inspected":100,"lines_not_inspected":0,"torn":false,'
        '"defects":{"scratch":0,"patch":0},"severities":{"minor":0,"major":0,"critical":0}}'
    )
    book = CoilBook(CLASSES, [CoilState.model_validate_json(text)], expected=["top", "bottom"])
    assert enter(book, "top", "C1") == []
    event = done(book)
    assert (event.lines_inspected, event.complete) == (100, False)
