import os

import pytest

from tests.edge_daemon.conftest import Scrape
from tests.soak.sampling import between, percentile_s, take_sample

INF = float("inf")
SCRAPE = """
edge_daemon_build_info{version="1"} 1
edge_daemon_outbox_depth 7
edge_daemon_frame_latency_seconds_bucket{le="0.1"} 3
edge_daemon_frame_latency_seconds_bucket{le="+Inf"} 4
"""


def test_a_sample_is_what_the_system_says_of_a_process() -> None:
    sample = take_sample(os.getpid(), Scrape(SCRAPE), at_s=5.0, life=2)
    assert sample is not None
    assert (sample.at_s, sample.life, sample.depth) == (5.0, 2, 7)
    assert 10 < sample.rss_mib < 10_000
    assert sample.fds >= 3
    assert sample.threads >= 1
    assert (sample.latency[0.1], sample.latency[INF]) == (3, 4)


def test_a_process_that_is_gone_or_silent_gives_no_sample() -> None:
    assert take_sample(2**22 + 1, Scrape(SCRAPE), at_s=0.0, life=0) is None
    assert take_sample(os.getpid(), Scrape(""), at_s=0.0, life=0) is None


def test_what_came_between_two_looks_is_their_difference_or_all_of_a_new_run() -> None:
    assert between({1.0: 5.0, INF: 9.0}, {1.0: 7.0, INF: 12.0}) == {1.0: 2.0, INF: 3.0}
    assert between({1.0: 5.0, INF: 9.0}, {1.0: 2.0, INF: 2.0}) == {1.0: 2.0, INF: 2.0}


@pytest.mark.parametrize(
    ("share", "expected_s"), [(0.25, 0.5), (0.5, 1.0), (0.75, 1.5), (1.0, 2.0)]
)
def test_a_percentile_lies_within_its_bucket(share: float, expected_s: float) -> None:
    buckets = {1.0: 10.0, 2.0: 20.0, INF: 20.0}
    assert percentile_s(buckets, share) == pytest.approx(expected_s)


def test_what_is_beyond_the_last_limit_counts_as_that_and_nothing_has_no_percentile() -> None:
    assert percentile_s({1.0: 0.0, INF: 5.0}, 0.5) == 1.0
    assert percentile_s({1.0: 0.0, INF: 0.0}, 0.5) is None
