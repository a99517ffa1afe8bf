"""What is taken from a GPU is given back, whatever happens. Over a FAKE of CUDA."""

import numpy as np
import pytest

from edge_daemon.cuda.errors import CudaError
from edge_daemon.cuda.resources import Resources
from edge_daemon.errors import EngineError
from tests.edge_daemon.cuda.fake_cuda import FakeCuda


def test_all_is_given_back_last_taken_first() -> None:
    cuda = FakeCuda()
    with Resources(cuda) as resources:
        resources.device_memory(10)
        resources.stream()
        resources.event(blocking=False)
        assert len(cuda.live) == 3
    assert [kind for kind, _ in cuda.released] == ["event", "stream", "memory"]


def test_a_buffer_carries_bytes_to_the_device_and_back() -> None:
    cuda = FakeCuda()
    with Resources(cuda) as resources:
        stream, event = resources.stream(), resources.event(blocking=False)
        buffer = resources.buffer(24, is_shared=False)
        host = buffer.view(np.int32, (2, 3))
        host[:] = [[1, 2, 3], [4, 5, 6]]
        buffer.upload(cuda, 24, stream)
        cuda.record_event(event, stream)
        cuda.wait_event(event)
        host[:] = 0
        buffer.download(cuda, 8, stream, first=12)
        cuda.record_event(event, stream)
        cuda.wait_event(event)
        assert host.tolist() == [[0, 0, 0], [4, 5, 0]]


def test_shared_memory_is_the_same_on_both_sides() -> None:
    cuda = FakeCuda(is_integrated=True)
    with Resources(cuda) as resources:
        buffer = resources.buffer(4, is_shared=True)
        buffer.view(np.uint8, (4,))[:] = [1, 2, 3, 4]
        assert cuda.device_bytes(buffer.device, 4).tolist() == [1, 2, 3, 4]
        buffer.upload(cuda, 4, resources.stream())
    assert cuda.count("cudaMemcpyAsync") == 0


def take_some(cuda: FakeCuda) -> None:
    with Resources(cuda) as resources:
        resources.device_memory(10)
        resources.device_memory(10)
        resources.stream()


def test_the_first_failure_is_the_one_that_is_told() -> None:
    cuda = FakeCuda(fail_at=2, is_sticky=True)
    with pytest.raises(CudaError, match="cudaStreamCreateWithFlags"):
        take_some(cuda)
    assert not cuda.live


def test_a_failure_to_give_back_is_told_and_the_rest_is_given_back() -> None:
    cuda = FakeCuda(fail_at=4)
    with pytest.raises(CudaError, match="cudaFree failed"):
        take_some(cuda)
    assert cuda.count("cudaFree") == 2
    assert not cuda.live


def test_nothing_is_given_back_twice() -> None:
    cuda = FakeCuda()
    resources = Resources(cuda)
    with resources:
        resources.device_memory(10)
    with resources:
        pass
    assert cuda.count("cudaFree") == 1


def test_a_graph_does_its_work_when_launched_and_not_before() -> None:
    cuda, done = FakeCuda(), []
    with Resources(cuda) as resources:
        stream, event = resources.stream(), resources.event(blocking=False)
        graph = resources.graph(stream, lambda: cuda.enqueue(stream, lambda: done.append(1)))
        for _ in range(2):
            cuda.launch(graph, stream)
        assert done == []
        cuda.record_event(event, stream)
        cuda.wait_event(event)
        assert done == [1, 1]
    assert not cuda.live


def test_a_capture_that_fails_is_ended() -> None:
    cuda = FakeCuda()

    def work() -> None:
        raise EngineError("no work today")

    with Resources(cuda) as resources:
        stream = resources.stream()
        with pytest.raises(EngineError, match="no work today"):
            resources.graph(stream, work)
        assert not cuda.is_capturing(stream)
    assert not cuda.live
