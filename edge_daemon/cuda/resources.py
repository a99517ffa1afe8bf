"""What is taken from a GPU and given back: memory, streams, events, graphs."""

import ctypes
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge_daemon.cuda.errors import CudaError
from edge_daemon.cuda.runtime import CudaRuntime
from edge_daemon.errors import EngineError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that the host writes and the device reads, or the other way round.

    Attributes:
        host: address of pinned memory on the host.
        device: the address that the device uses.
        size: bytes.
        is_shared: both addresses are of the same memory, so nothing is to be copied.
    """

    host: int
    device: int
    size: int
    is_shared: bool

    def view(self, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """The host's memory as an array; good until the buffer is given back."""
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * self.size).from_address(self.host))
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return memory[:size].view(dtype).reshape(shape)

    def upload(self, cuda: CudaRuntime, size: int, stream: int) -> None:
        """Bring the first bytes to the device."""
        if not self.is_shared:
            cuda.copy_to_device(self.device, self.host, size, stream)

    def download(self, cuda: CudaRuntime, size: int, stream: int, *, first: int = 0) -> None:
        """Bring some bytes, from the one numbered `first` on, to the same place on the host."""
        if not self.is_shared:
            cuda.copy_to_host(self.host + first, self.device + first, size, stream)


class Resources:
    """Everything taken through it is given back once, last taken first, when its context ends.

    Where something failed before, failures to give back are passed over: after most CUDA errors
    every later call fails too, and the first one is what matters.
    """

    def __init__(self, cuda: CudaRuntime) -> None:
        self._cuda = cuda
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def hold(self, release: Callable[[], None]) -> None:
        """Have something done when its turn to be given back has come."""
        self._stack.push(_Release(release))

    def enter(self, context: AbstractContextManager[_T]) -> _T:
        """Enter a context that ends when its turn to be given back has come."""
        return self._stack.enter_context(context)

    def device_memory(self, size: int) -> int:
        """Bytes on the device."""
        return self._take(self._cuda.malloc(size), self._cuda.free)

    def buffer(self, size: int, *, is_shared: bool) -> Buffer:
        """Bytes on host and device; shared where the device has no memory of its own."""
        cuda = self._cuda
        host = self._take(cuda.malloc_host(size, mapped=is_shared), cuda.free_host)
        device = cuda.mapped_address(host) if is_shared else self.device_memory(size)
        return Buffer(host, device, size, is_shared)

    def stream(self) -> int:
        """A stream."""
        return self._take(self._cuda.create_stream(), self._cuda.destroy_stream)

    def event(self, *, blocking: bool, timed: bool = False) -> int:
        """An event."""
        event = self._cuda.create_event(blocking=blocking, timed=timed)
        return self._take(event, self._cuda.destroy_event)

    def graph(self, stream: int, work: Callable[[], None]) -> int:
        """Write down the work that a function puts into a stream, ready to launch."""
        cuda = self._cuda
        cuda.begin_capture(stream)
        try:
            work()
        except EngineError:
            with suppress(CudaError):
                cuda.destroy_graph(cuda.end_capture(stream))
            raise
        graph = cuda.end_capture(stream)
        with ExitStack() as stack:
            stack.push(_Release(partial(cuda.destroy_graph, graph)))
            return self._take(cuda.instantiate(graph), cuda.destroy_executable)

    def _take(self, taken: int, release: Callable[[int], None]) -> int:
        self.hold(partial(release, taken))
        return taken


@dataclass(frozen=True, slots=True)
class _Release:
    """Gives something back on leaving a context; quiet where that is left by an error."""

    release: Callable[[], None]

    def __call__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self.release()
            return
        with suppress(CudaError):
            self.release()
