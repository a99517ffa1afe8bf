"""A FAKE of the CUDA calls that the runner makes: no GPU is behind it, nothing is proved of one.

It keeps the rules that are easily broken unseen: device memory can't be read by the host, nothing
happens before somebody waits for it, what is captured isn't done, and what is given back is gone.
Device memory is NumPy arrays under made-up addresses.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.cuda.errors import CudaError
from edge_daemon.cuda.runtime import DeviceProperties

Memory: TypeAlias = NDArray[np.uint8]
Work: TypeAlias = Callable[[], object]
FAILURE = "cudaErrorOfTheFake"
MAPPED = 1 << 60
"""Distance from the host's address of mapped memory to the device's."""


class FakeCuda:
    """Moves bytes between NumPy arrays; fails at the call numbered `fail_at`, from 0.

    `is_sticky`: every later call fails too, as after most real errors.
    """

    def __init__(
        self, *, is_integrated: bool = False, fail_at: int | None = None, is_sticky: bool = False
    ) -> None:
        self.calls: list[str] = []
        self.copied: list[tuple[str, int]] = []
        self.taken: list[tuple[str, int]] = []
        self.released: list[tuple[str, int]] = []
        self.live: set[tuple[str, int]] = set()
        self._is_integrated = is_integrated
        self._fail_at = fail_at
        self._is_sticky = is_sticky
        self._handles = itertools.count(1000)
        self._host: dict[int, Memory] = {}
        self._device: dict[int, Memory] = {}
        self._queues: dict[int, list[Work]] = defaultdict(list)
        self._events: dict[int, Work] = {}
        self._captured: dict[int, list[Work]] = {}
        self._graphs: dict[int, list[Work]] = {}

    # What tests and the fake TensorRT use.

    def enqueue(self, stream: int, work: Work) -> None:
        """Do it when the stream is waited for; while it is captured, only write it down."""
        assert ("stream", stream) in self.live
        self._captured.get(stream, self._queues[stream]).append(work)

    def is_capturing(self, stream: int) -> bool:
        return stream in self._captured

    def device_bytes(self, address: int, size: int) -> Memory:
        """What lies on the device; an error of the test where that is nobody's memory."""
        return _find(self._device, address, size)

    def count(self, call: str) -> int:
        return self.calls.count(call)

    # The calls.

    def use_device(self, index: int) -> None:
        self._call("cudaSetDevice")
        assert index == 0

    def properties(self, index: int) -> DeviceProperties:
        self._call("cudaGetDeviceProperties")
        assert index == 0
        return DeviceProperties("Fake GPU", (9, 0), self._is_integrated)

    def driver_version(self) -> tuple[int, int]:
        self._call("cudaDriverGetVersion")
        return 13, 0

    def memory_info(self) -> tuple[int, int]:
        self._call("cudaMemGetInfo")
        return 1 << 30, 1 << 31

    def malloc(self, size: int) -> int:
        self._call("cudaMalloc")
        address = next(self._handles) << 40
        self._device[address] = np.full(size, 0xAB, np.uint8)
        return self._give("memory", address)

    def free(self, pointer: int) -> None:
        self._take_back("cudaFree", "memory", pointer)
        del self._device[pointer]

    def malloc_host(self, size: int, *, mapped: bool) -> int:
        self._call("cudaHostAlloc")
        assert mapped == self._is_integrated
        memory = np.full(size, 0xCD, np.uint8)
        address = int(memory.ctypes.data)
        self._host[address] = memory
        return self._give("host memory", address)

    def free_host(self, pointer: int) -> None:
        self._take_back("cudaFreeHost", "host memory", pointer)
        self._device.pop(pointer + MAPPED, None)
        del self._host[pointer]

    def mapped_address(self, pointer: int) -> int:
        self._call("cudaHostGetDevicePointer")
        self._device[pointer + MAPPED] = self._host[pointer]
        return pointer + MAPPED

    def create_stream(self) -> int:
        self._call("cudaStreamCreateWithFlags")
        return self._give("stream", next(self._handles))

    def destroy_stream(self, stream: int) -> None:
        self._take_back("cudaStreamDestroy", "stream", stream)

    def create_event(self, *, blocking: bool, timed: bool) -> int:
        self._call("cudaEventCreateWithFlags")
        assert timed or blocking == self._is_integrated
        return self._give("event", next(self._handles))

    def destroy_event(self, event: int) -> None:
        self._take_back("cudaEventDestroy", "event", event)

    def record_event(self, event: int, stream: int) -> None:
        self._call("cudaEventRecord")
        assert ("event", event) in self.live
        queue = self._queues[stream]
        upto = len(queue)

        def run() -> None:
            for work in queue[:upto]:
                work()
            del queue[:upto]

        self._events[event] = run

    def wait_event(self, event: int) -> None:
        self._call("cudaEventSynchronize")
        self._events.pop(event)()

    def elapsed_ms(self, begin: int, end: int) -> float:
        """A made-up time."""
        self._call("cudaEventElapsedTime")
        assert {("event", begin), ("event", end)} <= self.live
        return 1.0

    def copy_to_device(self, to: int, source: int, size: int, stream: int) -> None:
        self._copy(_find(self._device, to, size), _find(self._host, source, size), stream, "up")

    def copy_to_host(self, to: int, source: int, size: int, stream: int) -> None:
        self._copy(_find(self._host, to, size), _find(self._device, source, size), stream, "down")

    def copy_on_device(self, to: int, source: int, size: int, stream: int) -> None:
        raise NotImplementedError

    def begin_capture(self, stream: int) -> None:
        self._call("cudaStreamBeginCapture")
        assert not self._queues[stream], "what is under way would be lost"
        self._captured[stream] = []

    def end_capture(self, stream: int) -> int:
        work = self._captured.pop(stream)
        self._call("cudaStreamEndCapture")
        graph = next(self._handles)
        self._graphs[graph] = work
        return self._give("graph", graph)

    def instantiate(self, graph: int) -> int:
        self._call("cudaGraphInstantiate")
        executable = next(self._handles)
        self._graphs[executable] = self._graphs[graph]
        return self._give("executable", executable)

    def destroy_graph(self, graph: int) -> None:
        self._take_back("cudaGraphDestroy", "graph", graph)

    def destroy_executable(self, executable: int) -> None:
        self._take_back("cudaGraphExecDestroy", "executable", executable)

    def launch(self, executable: int, stream: int) -> None:
        self._call("cudaGraphLaunch")
        assert ("executable", executable) in self.live
        for work in self._graphs[executable]:
            self.enqueue(stream, work)

    # How it is done.

    def _call(self, name: str) -> None:
        number = len(self.calls)
        self.calls.append(name)
        if self._fail_at is None:
            return
        if number == self._fail_at or (self._is_sticky and number > self._fail_at):
            raise CudaError(name, FAILURE)

    def _give(self, kind: str, handle: int) -> int:
        self.live.add((kind, handle))
        self.taken.append((kind, handle))
        return handle

    def _take_back(self, call: str, kind: str, handle: int) -> None:
        """Whoever failed to give something back mustn't try again: it is released either way."""
        assert (kind, handle) in self.live, f"{kind} given back twice, or never taken"
        self.live.remove((kind, handle))
        self.released.append((kind, handle))
        self._call(call)

    def _copy(self, to: Memory, source: Memory, stream: int, way: str) -> None:
        self._call("cudaMemcpyAsync")

        def copy() -> None:
            to[:] = source
            self.copied.append((way, to.size))

        self.enqueue(stream, copy)


def _find(memory: dict[int, Memory], address: int, size: int) -> Memory:
    for start, block in memory.items():
        if start <= address and address + size <= start + block.size:
            return block[address - start : address - start + size]
    raise AssertionError(f"{size} bytes at {address:#x} are nobody's memory")


def tally(fake: FakeCuda) -> Counter[str]:
    """How often each call was made."""
    return Counter(fake.calls)


def as_array(memory: Memory, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:  # noqa: ANN401 - a type
    array: NDArray[Any] = memory.view(dtype).reshape(shape)
    return array
