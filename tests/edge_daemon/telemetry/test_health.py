import dataclasses
import threading

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.telemetry.health import Health

MS = 1_000_000


def test_a_worker_that_beats_in_time_is_alive(clock: ManualClock) -> None:
    health = Health(clock)
    heart = health.worker("ingest", 5.0)
    for _ in range(10):
        clock.advance(5000 * MS)
        heart.beat()
    assert health.live().ok
    assert health.live().reasons == {}


def test_one_stalled_worker_among_beating_ones_is_named_with_its_silence(
    clock: ManualClock,
) -> None:
    health = Health(clock)
    ingest, _ = health.worker("ingest", 5.0), health.worker("sender", 5.0)
    clock.advance(5500 * MS)
    ingest.beat()
    report = health.live()
    assert not report.ok
    assert report.reasons == {"sender": "no sign of life for 5.5 s, 5 s are allowed"}


def test_a_worker_has_its_own_time_from_registration_on(clock: ManualClock) -> None:
    health = Health(clock)
    health.worker("engine", 60.0)
    clock.advance(60000 * MS)
    assert health.live().ok
    clock.advance(100 * MS)
    assert not health.live().ok


def test_a_worker_that_starts_beating_again_is_alive_again(clock: ManualClock) -> None:
    health = Health(clock)
    heart = health.worker("ingest", 1.0)
    clock.advance(2000 * MS)
    assert not health.live().ok
    heart.beat()
    assert health.live().ok


def test_a_retired_worker_is_not_missed(clock: ManualClock) -> None:
    health = Health(clock)
    health.worker("ingest", 1.0).retire()
    clock.advance(100000 * MS)
    assert health.live().ok


def test_a_name_can_be_taken_again_only_after_retirement(clock: ManualClock) -> None:
    health = Health(clock)
    heart = health.worker("ingest", 1.0)
    with pytest.raises(ValueError, match="'ingest' is already registered; retire"):
        health.worker("ingest", 1.0)
    heart.retire()
    health.worker("ingest", 1.0)
    clock.advance(2000 * MS)
    assert set(health.live().reasons) == {"ingest"}


def test_a_daemon_without_conditions_is_starting_and_not_ready(clock: ManualClock) -> None:
    report = Health(clock).ready()
    assert not report.ok
    assert report.reasons == {"daemon": "starting"}


def test_a_worker_that_waits_in_vain_stalls_at_once_and_says_what_for(clock: ManualClock) -> None:
    health = Health(clock)
    heart = health.worker("engine", 1.0)
    heart.stand_still("no paper")
    assert health.live().reasons == {"engine": "no paper"}
    clock.advance(5000 * MS)
    assert health.live().reasons == {"engine": "no paper"}
    heart.beat()
    assert health.live().ok
    heart.stand_still("no paper")
    heart.retire()
    assert health.live().ok


def test_a_new_condition_does_not_hold_until_it_is_said_to(clock: ManualClock) -> None:
    health = Health(clock)
    bundle = health.condition("bundle")
    assert health.ready().reasons == {"bundle": "not known yet"}
    bundle.ok()
    assert health.ready().ok


def test_every_condition_that_fails_is_reported_with_its_reason(clock: ManualClock) -> None:
    health = Health(clock)
    health.condition("bundle").ok()
    health.condition("outbox").not_ok("disk full")
    health.condition("cameras").not_ok("top-1 silent")
    assert health.ready().reasons == {"outbox": "disk full", "cameras": "top-1 silent"}


def test_the_same_name_is_the_same_condition(clock: ManualClock) -> None:
    health = Health(clock)
    health.condition("outbox").ok()
    health.condition("outbox").not_ok("disk full")
    assert health.ready().reasons == {"outbox": "disk full"}


def test_a_failed_condition_leaves_the_process_live(clock: ManualClock) -> None:
    health = Health(clock)
    health.condition("broker").not_ok("refused")
    assert health.live().ok


def test_a_stalled_worker_makes_the_daemon_unready(clock: ManualClock) -> None:
    health = Health(clock)
    health.condition("bundle").ok()
    health.worker("engine", 1.0)
    clock.advance(2000 * MS)
    assert set(health.ready().reasons) == {"engine"}


def test_a_report_can_not_be_changed(clock: ManualClock) -> None:
    report = Health(clock).live()
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.ok = False  # type: ignore[misc] # what is under test


def test_reports_can_be_read_while_workers_come_and_go(clock: ManualClock) -> None:
    health = Health(clock)

    def come_and_go(prefix: int) -> None:
        for n in range(300):
            health.worker(f"{prefix}-{n}", 1.0).retire()
            health.condition(f"{prefix}-{n}").ok()

    threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert health.live().ok
        health.ready()
    assert health.ready().ok
