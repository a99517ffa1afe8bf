import numpy as np
import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.transport.frames import DIFFERENT, Dispatch, Meter, Plan, make_frames

PLAN = Plan(height_px=16, width_px=32, warm_up=2, frames=3)


def test_what_is_sent_as_an_array_and_as_bytes_is_the_same() -> None:
    images, packed = list(Dispatch(PLAN).images()), list(Dispatch(PLAN).packed())

    assert [image.tobytes() for image in images] == packed
    assert len(packed) == PLAN.count == 5


def test_neighbouring_frames_differ() -> None:
    frames = make_frames(PLAN)

    assert len({frame.tobytes() for frame in frames}) == DIFFERENT


def test_the_meter_has_enough_after_the_last_frame() -> None:
    meter = Meter(PLAN)

    wanted = [meter.saw(image) for image in Dispatch(PLAN).images()]

    assert wanted == [True] * 4 + [False]
    assert meter.arrival().frames == 3


def test_an_altered_frame_is_found_out() -> None:
    image = make_frames(PLAN)[0].copy()
    image[3, 5] ^= 1

    with pytest.raises(BenchmarkError, match="altered"):
        Meter(PLAN).saw(image)


def test_a_frame_of_another_shape_is_found_out() -> None:
    with pytest.raises(BenchmarkError, match="altered"):
        Meter(PLAN).saw(np.ascontiguousarray(make_frames(PLAN)[0].T))


def test_a_passage_that_ended_while_warming_up_tells_nothing() -> None:
    meter = Meter(PLAN)
    meter.saw(make_frames(PLAN)[0])

    with pytest.raises(BenchmarkError, match="1 of 5 frames came"):
        meter.arrival()
