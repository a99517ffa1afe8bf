from edge_daemon.evidence.jobs import Finish, Jobs, Keep, Mark
from tests.edge_daemon.evidence.steel import kept


def test_what_waits_is_counted_until_it_is_released() -> None:
    jobs = Jobs()
    frame = kept(0)
    assert jobs.put(Keep("a", frame))
    assert jobs.put(Mark("a", "x"))
    assert jobs.size == frame.size
    job = jobs.take(0.0)
    assert job == Keep("a", frame)
    assert jobs.size == frame.size
    jobs.release(job)
    assert jobs.size == 0
    assert jobs.take(0.0) == Mark("a", "x")
    assert jobs.is_empty
    assert jobs.take(0.0) is None


def test_a_writer_that_stands_still_does_not_let_jobs_pile_up() -> None:
    jobs = Jobs()
    put = [jobs.put(Finish("a")) for _ in range(10_000)]
    assert 0 < sum(put) < 5000
