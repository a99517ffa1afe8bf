from edge_daemon.delivery.window import Flight, Window
from edge_daemon.storage.rows import StoredMessage


def flight(seq: int, sent_ns: int = 0) -> Flight:
    return Flight(StoredMessage(seq, "event/defect", False, b"{}", 0, None), sent_ns)  # noqa: FBT003 - a row


def test_a_closed_window_takes_nothing() -> None:
    assert Window().free == 0


def test_statuses_take_room_but_have_no_number() -> None:
    window = Window()
    window.open(2)
    window.launch(1, Flight(None, 5))
    window.launch(2, flight(7, 3))
    assert (window.free, window.seqs, window.oldest_ns) == (0, {7}, 3)


def test_an_answer_to_something_unknown_is_no_flight() -> None:
    window = Window()
    window.open(2)
    assert window.land(9) is None


def test_a_connection_that_just_ended_has_no_culprit() -> None:
    window = Window()
    window.open(20)
    window.launch(1, flight(1))
    assert window.close(poisoned=False) is None
    window.open(20)
    assert window.free == 20


def test_after_poison_the_suspects_go_one_by_one_until_the_culprit_is_alone() -> None:
    window = Window()
    window.open(20)
    for seq in (1, 2, 3):
        window.launch(seq, flight(seq))
    assert window.close(poisoned=True) is None
    window.open(20)
    assert window.free == 1
    window.launch(1, flight(1))
    window.land(1)
    window.launch(2, flight(2))
    culprit = window.close(poisoned=True)
    assert culprit is not None
    assert culprit.seq == 2


def test_when_all_suspects_got_through_the_window_is_wide_again() -> None:
    window = Window()
    window.open(20)
    window.launch(1, flight(1))
    window.close(poisoned=True)
    window.open(20)
    window.launch(1, flight(1))
    window.land(1)
    assert window.free == 20
