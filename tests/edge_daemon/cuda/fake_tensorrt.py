"""A FAKE of the few things of TensorRT's Python package that the runner uses, over a fake CUDA.

What it computes is up to the test; where it computes it, and when, is as with the real one: on the
device, in the stream's order, with the shape and addresses that the context was given.
"""

from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.inference.answers import Thresholds, count_above
from tests.edge_daemon.cuda.fake_cuda import FakeCuda, as_array

Network: TypeAlias = Callable[[Strips], Probabilities]
Tensors: TypeAlias = dict[str, tuple[str, tuple[int, ...], bool]]
"""Of each its type, shape with -1 for the batch, and whether it is an input."""
Profile: TypeAlias = tuple[int, int, int]
"""Least, best and most strips."""
SCRATCH_BYTES = 4096
CONTENT = b"a plan of the fake"
ANY: Profile = (1, 8, 8)


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class Logger:
    Severity: TypeAlias = Severity

    def __init__(self) -> None:
        self.is_made = True

    def log(self, severity: Severity, message: str) -> None:
        raise NotImplementedError


class IoMode(Enum):
    INPUT = 1
    OUTPUT = 2


class DataType(Enum):
    UINT8 = 1
    HALF = 2
    FLOAT = 3
    INT32 = 4


class Strategy(Enum):
    STATIC = 0
    USER_MANAGED = 2


class FakeTensorRt:
    """Stands for the package. `refused`: calls that say no, with a line in the log."""

    ILogger = Logger
    TensorIOMode = IoMode
    ExecutionContextAllocationStrategy = Strategy

    def __init__(
        self,
        cuda: FakeCuda,
        network: Network,
        tensors: Tensors,
        *,
        thresholds: Thresholds,
        profiles: Sequence[Profile] = (ANY,),
        refused: Sequence[str] = (),
        said: str = "because it is a fake",
    ) -> None:
        self.cuda = cuda
        self.network = network
        self.tensors = tensors
        self.thresholds = thresholds
        self.profiles = profiles
        self.refused = refused
        self.said = said
        self.batches: list[int] = []
        self.contexts: list[FakeContext] = []
        self.logger: Any = None

    def Runtime(self, logger: Logger) -> "FakeTensorRt":  # noqa: N802 - TensorRT's name
        assert logger.is_made
        self.logger = logger
        return self

    def deserialize_cuda_engine(self, content: bytes) -> "FakeEngine | None":
        if content != CONTENT or self.refuses("deserialize_cuda_engine"):
            return None
        return FakeEngine(self)

    def refuses(self, call: str) -> bool:
        if call not in self.refused:
            return False
        self.logger.log(Severity.WARNING, "this is nobody's concern")
        self.logger.log(Severity.ERROR, self.said)
        return True


class FakeEngine:
    device_memory_size_v2 = SCRATCH_BYTES

    def __init__(self, trt: FakeTensorRt) -> None:
        self._trt = trt
        self.num_io_tensors = len(trt.tensors)
        self.num_optimization_profiles = len(trt.profiles)

    def get_tensor_name(self, index: int) -> str:
        return list(self._trt.tensors)[index]

    def get_tensor_mode(self, name: str) -> IoMode:
        return IoMode.INPUT if self._trt.tensors[name][2] else IoMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType[self._trt.tensors[name][0]]

    def get_tensor_shape(self, name: str) -> list[int]:
        return list(self._trt.tensors[name][1])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[list[int]]:
        rest = self._trt.tensors[name][1][1:]
        return [[batch, *rest] for batch in self._trt.profiles[profile]]

    def create_execution_context(self, strategy: Strategy) -> "FakeContext | None":
        assert strategy is Strategy.USER_MANAGED
        if self._trt.refuses("create_execution_context"):
            return None
        context = FakeContext(self._trt)
        self._trt.contexts.append(context)
        return context


class FakeContext:
    def __init__(self, trt: FakeTensorRt) -> None:
        self._trt = trt
        self._profile: Profile | None = None
        self._shape: tuple[int, ...] = ()
        self._scratch = 0
        self._has_run = False
        self.addresses: dict[str, int] = {}

    def set_device_memory(self, memory: int, size: int) -> None:
        assert size == SCRATCH_BYTES
        self._trt.cuda.device_bytes(memory, size)
        self._scratch = memory

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        self._profile = self._trt.profiles[profile]
        return stream > 0 and not self._trt.refuses("set_optimization_profile_async")

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self._profile is not None
        assert self._trt.tensors[name][2]
        self._shape = shape
        is_fitting = self._profile[0] <= shape[0] <= self._profile[2]
        return is_fitting and not self._trt.refuses("set_input_shape")

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return not self._trt.refuses("set_tensor_address")

    def execute_async_v3(self, stream: int) -> bool:
        if self._trt.refuses("execute_async_v3"):
            return False
        assert self._scratch
        assert self._has_run or not self._trt.cuda.is_capturing(stream), "captured before it ran"
        self._has_run = True
        self._trt.cuda.enqueue(stream, self._compute)
        return True

    def _compute(self) -> None:
        strips, probability, counts, valid = (
            self._array(name) for name in ("strip", "probability", "counts", "valid")
        )
        self._trt.batches.append(len(strips))
        probability[:] = self._trt.network(strips)
        single = probability.astype(np.float32)
        counts[:] = count_above(single, self._trt.thresholds)
        valid[:] = ((single >= 0) & (single <= 1)).sum(axis=(1, 2, 3))

    def _array(self, name: str) -> NDArray[Any]:
        kind, (_, *rest), _ = self._trt.tensors[name]
        dtype = {"UINT8": np.uint8, "HALF": np.float16, "INT32": np.int32}[kind]
        shape = (self._shape[0], *rest)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return as_array(self._trt.cuda.device_bytes(self.addresses[name], size), dtype, shape)
