"""An engine that has lost its mind is found out, whatever it says."""

from collections.abc import Sequence

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import EngineError
from edge_daemon.inference.bundle import load_bundle, read_known_answer
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Answers

STRIP = np.full((1, 1, 256, 1600), 128, np.uint8)
EXPECTED = np.full((1, 2, 64, 400), 0.25, np.float32)


class Parrot:
    """Always gives the same answer, and remembers what it was asked."""

    def __init__(self, answer: Probabilities, max_batch: int = 1) -> None:
        self.answer = answer
        self.batches: list[int] = []
        self._max_batch = max_batch
        self.asked: list[GreyImage] = []

    @property
    def stride_px(self) -> int:
        return 4

    @property
    def max_batch(self) -> int:
        return self._max_batch

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        self.asked += strips
        self.batches.append(len(strips))
        counts = np.zeros((1, self.answer.shape[1]), np.int32)
        return Answers(counts, lambda wanted: self.answer[wanted])


def off_by(difference: float) -> Parrot:
    answer = EXPECTED.copy()
    answer[0, 1, 5, 7] += difference
    return Parrot(answer)


def ask(engine: Parrot) -> float:
    return KnownAnswerTest(STRIP, EXPECTED, tolerance=0.05).run(engine)


def test_the_right_answer_passes() -> None:
    engine = off_by(0.0)
    assert ask(engine) == 0.0
    assert np.array_equal(engine.asked, STRIP[0])


@pytest.mark.parametrize("difference", [0.04, -0.04])
def test_an_answer_within_the_tolerance_passes_and_its_difference_is_told(
    difference: float,
) -> None:
    assert ask(off_by(difference)) == pytest.approx(0.04)


@pytest.mark.parametrize("difference", [0.06, -0.06, 0.7, float("nan"), float("inf")])
def test_one_probability_that_is_too_far_off_is_a_failure(difference: float) -> None:
    with pytest.raises(EngineError, match=r"0\.05 is allowed"):
        ask(off_by(difference))


def test_a_full_batch_is_asked_besides_and_every_strip_of_it_has_to_be_right() -> None:
    class Batches(Parrot):
        def segment(self, strips: Sequence[GreyImage]) -> Answers:
            super().segment(strips)
            return Answers(np.zeros((len(strips), 2), np.int32), answers[len(strips)].__getitem__)

    answers = {n: np.repeat(EXPECTED, n, axis=0) for n in (1, 8)}
    engine = Batches(EXPECTED, max_batch=8)
    assert ask(engine) == 0.0
    assert engine.batches == [1, 8]
    answers[8][7, 0, 3, 3] = 0.9
    with pytest.raises(EngineError, match="in a batch of 8"):
        ask(engine)
    answers[8] = answers[1]
    with pytest.raises(EngineError, match="for 8 strips"):
        ask(engine)


def test_the_bundle_brings_the_question_and_the_answer() -> None:
    bundle = load_bundle(shipped_bundle())
    strip, probability = read_known_answer(bundle)
    engine = Parrot(probability)
    assert KnownAnswerTest.from_bundle(bundle).run(engine) == 0.0
    assert np.array_equal(engine.asked, strip[0])


def test_the_known_answer_can_not_be_given_by_saying_nothing() -> None:
    bundle = load_bundle(shipped_bundle())
    _, probability = read_known_answer(bundle)
    with pytest.raises(EngineError):
        KnownAnswerTest.from_bundle(bundle).run(Parrot(np.zeros_like(probability)))
