from edge_daemon.delivery.backoff import Backoff


def test_each_wait_is_between_half_and_all_of_a_doubling_time() -> None:
    backoff = Backoff(1.0, 10.0)
    for most_s in (1, 2, 4, 8, 10, 10):
        assert most_s * 0.5e9 <= backoff.next_ns() <= most_s * 1e9


def test_two_stations_do_not_wait_equally_long() -> None:
    assert len({Backoff(1.0, 10.0).next_ns() for _ in range(20)}) > 10


def test_success_makes_the_next_wait_short_again() -> None:
    backoff = Backoff(1.0, 10.0)
    for _ in range(5):
        backoff.next_ns()
    backoff.reset()
    assert backoff.next_ns() <= 1e9
