"""A soak that can't fail proves nothing: histories in which one thing is wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.oracle import Coverage, Delivery
from tests.soak.judging import History, complaints, minutes, trends
from tests.soak.reporting import document, print_report
from tests.soak.sampling import Sample

SOUND_ROWS = Coverage("cam-0", 1000, 900, 100, 0, blind=(), double=(), beyond=())
SOUND_MESSAGES = Delivery(announced=50, delivered=50, waiting=0, duplicates=3)


def sample(at_s: int, life: int = 0) -> Sample:
    frames = 10.0 * at_s
    return Sample(
        at_s=float(at_s),
        life=life,
        rss_mib=200.0,
        fds=25,
        threads=14,
        depth=0,
        latency={0.05: 0.0, 0.1: frames, 10.0: frames, float("inf"): frames},
    )


SOUND = History(
    seconds=600,
    samples=[sample(at_s, at_s // 400) for at_s in range(600)],
    delivery=SOUND_MESSAGES,
    coverage=[SOUND_ROWS],
    faults={"flood": 1},
    starts_s=(1.0,),
)


def with_samples(change: Callable[[Sample], Sample]) -> History:
    return replace(SOUND, samples=[change(each) for each in SOUND.samples])


def leaking(sample: Sample) -> Sample:
    return replace(sample, rss_mib=200 + 0.2 * sample.at_s)


def dropping_descriptors(sample: Sample) -> Sample:
    return replace(sample, fds=25 + int(sample.at_s) // 20)


def breeding_threads(sample: Sample) -> Sample:
    return replace(sample, threads=14 + int(sample.at_s) // 20)


def slowing_down(sample: Sample) -> Sample:
    early = 10.0 * min(sample.at_s, 250)
    late = 10.0 * max(sample.at_s - 250, 0)
    latency = {0.05: 0.0, 0.1: early, 10.0: early + late, float("inf"): early + late}
    return replace(sample, latency=latency)


def short_lived(sample: Sample) -> Sample:
    return replace(sample, life=int(sample.at_s) // 5)


def test_a_sound_history_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert complaints(SOUND) == []
    print_report(SOUND)
    assert capsys.readouterr().out.endswith("passed: nothing lost, nothing leaked\n")


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (with_samples(leaking), "memory, MiB went from 220"),
        (with_samples(dropping_descriptors), "descriptors went from"),
        (with_samples(breeding_threads), "threads went from"),
        (with_samples(slowing_down), "latency p50 went from"),
        (with_samples(short_lived), "no life of the daemon was long enough"),
        (replace(SOUND, samples=[]), "no life of the daemon was long enough"),
        (replace(SOUND, delivery=replace(SOUND_MESSAGES, missing=(7,))), "missing: seq 7"),
        (replace(SOUND, delivery=replace(SOUND_MESSAGES, late=(7,))), "out of order: seq 7"),
        (replace(SOUND, delivery=replace(SOUND_MESSAGES, alien=("7 as x",))), "never announced"),
        (replace(SOUND, delivery=replace(SOUND_MESSAGES, waiting=2)), "2 messages still wait"),
        (replace(SOUND, coverage=[replace(SOUND_ROWS, inspected=800)]), "neither inspected nor"),
        (replace(SOUND, coverage=[replace(SOUND_ROWS, inspected=990)]), "both inspected and"),
        (replace(SOUND, coverage=[replace(SOUND_ROWS, blind=((0, 5),))]), "nobody saw"),
        (replace(SOUND, coverage=[replace(SOUND_ROWS, double=((0, 5),))]), "told twice"),
        (replace(SOUND, surprises=["the daemon ended by itself with 1"]), "ended by itself"),
    ],
)
def test_one_wrong_thing_is_enough_to_fail(
    history: History, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = complaints(history)
    assert complaint in found
    assert document(history)["passed"] is False
    print_report(history)
    assert f"WRONG: {found}" in capsys.readouterr().out


def test_memory_that_a_kill_gave_back_is_not_held_against_the_next_life() -> None:
    saw = with_samples(lambda each: replace(each, rss_mib=200 - 50 * each.life))
    assert complaints(saw) == []


def test_a_trend_is_of_the_longest_life_after_its_warm_up() -> None:
    (memory, _, _) = trends(with_samples(leaking).samples)
    assert memory.over_s == pytest.approx(300, abs=2)
    assert memory.per_hour == pytest.approx(0.2 * 3600)
    assert memory.first == pytest.approx(220)


def test_latency_is_told_minute_by_minute() -> None:
    by_minute = minutes(SOUND.samples)
    assert [minute.number for minute in by_minute] == [*range(10)]
    assert all(minute.p50_s == pytest.approx(0.075) for minute in by_minute)
