"""A network that has to prove itself before it may take over."""

from collections.abc import Sequence

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.errors import CudaError
from edge_daemon.errors import EngineError
from edge_daemon.inference.answers import Thresholds
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Answers
from edge_daemon.inference.switching import TRIAL_STRIPS, SwitchingSegmenter, TrialResult
from tests.edge_daemon.marked_steel import BREAKS, BRIGHT, CLASSES, DARK, SOUND, MarkFinder

THRESHOLDS: Thresholds = np.array([one.threshold for one in CLASSES], np.float32)


def strip(mark: int = SOUND, rows: int = 8) -> GreyImage:
    image = np.full((256, 1600), SOUND, np.uint8)
    image[:rows, :8] = mark
    return image


KNOWN = strip(BRIGHT)


class Switch:
    """A switching segmenter that keeps what it was told."""

    def __init__(self) -> None:
        self.old = MarkFinder(max_batch=1)
        self.told: list[TrialResult] = []
        expected = MarkFinder().segment([KNOWN]).fetch(slice(1))
        self.segmenter = SwitchingSegmenter(
            self.old,
            test=KnownAnswerTest(KNOWN[None, None], expected, tolerance=0.1),
            thresholds=THRESHOLDS,
            told=self.told.append,
        )

    def look(self, times: int, mark: int = BRIGHT) -> list[Answers]:
        return [self.segmenter.segment([strip(mark)]) for _ in range(times)]


class Blind(MarkFinder):
    """Knows its known answer and nothing else, from the strip after it on."""

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        if np.array_equal(strips[0], KNOWN):
            return super().segment(strips)
        return super().segment([strip(SOUND)] * len(strips))


class Off(MarkFinder):
    """Takes the one class for the other."""

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        answers = super().segment(strips)
        return Answers(answers.counts[:, ::-1], lambda wanted: answers.fetch(wanted)[:, ::-1])


class Burnt(MarkFinder):
    """A GPU that has fallen off the bus."""

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        raise CudaError("cudaGraphLaunch", f"cudaErrorLaunchFailure {len(strips)}")


def test_a_network_that_says_the_same_takes_over_after_its_trial_and_not_before() -> None:
    switch, new = Switch(), MarkFinder(max_batch=8)
    switch.segmenter.offer(new)
    switch.look(TRIAL_STRIPS - 1)
    assert switch.told == []
    assert switch.segmenter.max_batch == 1
    switch.look(1)
    assert [result.taken for result in switch.told] == [True]
    assert switch.segmenter.max_batch == 8
    asked = len(switch.old.batches)
    switch.look(3)
    assert len(switch.old.batches) == asked == TRIAL_STRIPS


def test_while_it_is_on_trial_the_old_ones_answers_count() -> None:
    switch = Switch()
    switch.segmenter.offer(Blind())
    (answers,) = switch.look(1, DARK)
    assert answers.counts.any()
    assert answers.fetch(slice(1)).max() == np.float32(0.9)


def test_a_network_that_sees_something_else_is_turned_away_with_by_how_much() -> None:
    switch = Switch()
    switch.segmenter.offer(Blind())
    big = strip(DARK, rows=256)
    big[:, :64] = DARK
    for _ in range(TRIAL_STRIPS):
        switch.segmenter.segment([big])
    (result,) = switch.told
    assert not result.taken
    assert result.detail.startswith("2.0000% of the cells of 64 strips differ")
    assert switch.segmenter.max_batch == 1


def test_a_network_without_its_known_answer_is_turned_away_at_once() -> None:
    switch = Switch()
    switch.segmenter.offer(Off())
    switch.look(1)
    (result,) = switch.told
    assert not result.taken
    assert "known answer" in result.detail
    switch.look(TRIAL_STRIPS)
    assert switch.segmenter.max_batch == 1


def test_after_one_was_turned_away_another_may_come() -> None:
    switch = Switch()
    for candidate in (Off(), MarkFinder(max_batch=4)):
        switch.segmenter.offer(candidate)
        switch.look(TRIAL_STRIPS)
    assert [result.taken for result in switch.told] == [False, True]
    assert switch.segmenter.max_batch == 4


def test_a_fault_of_the_gpu_is_a_fault_of_the_whole() -> None:
    switch = Switch()
    switch.segmenter.offer(Burnt())
    with pytest.raises(CudaError):
        switch.look(1)


def test_a_fault_of_the_one_that_runs_is_no_trial() -> None:
    switch = Switch()
    switch.segmenter.offer(MarkFinder())
    with pytest.raises(EngineError):
        switch.look(1, BREAKS)
    assert switch.told == []
