from edge_daemon.delivery.holds import EVERYTHING, Holds


def test_a_topic_waits_until_its_time_has_come() -> None:
    holds = Holds(1.0, 60.0)
    assert holds.hold("event/defect", 0)
    assert holds.held == ["event/defect"]
    assert not holds.release(400_000_000)
    assert holds.release(1_000_000_001)
    assert holds.held == []


def test_a_window_full_of_refusals_lengthens_the_wait_once() -> None:
    holds = Holds(1.0, 60.0)
    assert [holds.hold("event/defect", at_ns) for at_ns in range(20)] == [True] + [False] * 19
    assert max(holds.due_ns()) <= 1_000_000_020


def test_the_wait_grows_while_refusals_go_on() -> None:
    holds = Holds(1.0, 60.0)
    at_ns = [0]
    for _ in range(4):
        holds.hold("event/defect", at_ns[-1])
        at_ns += holds.due_ns()
        holds.release(at_ns[-1])
    assert at_ns[4] - at_ns[3] >= 4e9


def test_a_topic_that_has_waited_is_on_probation_until_a_message_gets_through() -> None:
    holds = Holds(1.0, 60.0)
    holds.hold("event/defect", 0)
    assert holds.probing == []
    holds.release(2_000_000_000)
    assert holds.probing == ["event/defect"]
    assert not holds.forget("event/coil")
    assert holds.forget("event/defect")
    assert holds.probing == []


def test_success_ends_the_probation_of_everything_but_not_a_wait() -> None:
    holds = Holds(1.0, 60.0)
    holds.hold("event/defect", 0)
    holds.hold(EVERYTHING, 0)
    assert not holds.forget("event/defect")
    assert holds.held == ["event/defect", EVERYTHING]
    holds.release(2_000_000_000)
    holds.forget("event/defect")
    holds.hold("event/defect", 0)
    assert max(holds.due_ns()) <= 1_000_000_000
