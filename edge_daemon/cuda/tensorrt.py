"""Plans as TensorRT and TensorRT-RTX run them: the one module of the runner that knows either.

Their Python interfaces are the same but for a little. Needs 10.3 or later, or RTX 1.4 or later.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

from edge_daemon.cuda.errors import CudaError, PlanError
from edge_daemon.errors import EngineError

Shape: TypeAlias = tuple[int, ...]
"""-1 where it is free: the batch."""

LINES_KEPT = 4
CUDA_FAILED = "Cuda Runtime"
"""What TensorRT's messages say where a CUDA call failed inside it."""
NOTHING_SAID = "it doesn't say why"
REBUILD = "build it again on this machine with `edge-daemon compile`"


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """One of a plan's inputs or outputs.

    Attributes:
        dtype: TensorRT's name: UINT8, HALF, FLOAT, INT32, ...
        shape: with -1 for the batch.
        is_input: or an output.
    """

    dtype: str
    shape: Shape
    is_input: bool


class LoadedPlan:
    """A plan that TensorRT has taken.

    Args:
        trt: the package `tensorrt` or `tensorrt_rtx`.
        content: bytes of the plan.
        name: of the plan, for messages.
    """

    def __init__(self, trt: Any, content: bytes, *, name: str) -> None:  # noqa: ANN401 - an untyped package
        self._trt = trt
        self._content = content
        self._name = name
        self._log: deque[str] = deque(maxlen=LINES_KEPT)
        self._logger: Any = None
        self._engine: Any = None

    def __enter__(self) -> Self:
        self._logger = _logger(self._trt, self._log)  # has to live as long as what is made with it
        self._engine = self._trt.Runtime(self._logger).deserialize_cuda_engine(self._content)
        self._content = b""
        if self._engine is None:
            raise self._refused("deserialize_cuda_engine")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine = self._logger = None

    def tensors(self) -> dict[str, PlanTensor]:
        """Inputs and outputs by name."""
        engine, found = self._engine, {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT
            dtype = engine.get_tensor_dtype(name).name
            found[name] = PlanTensor(dtype, tuple(engine.get_tensor_shape(name)), is_input)
        return found

    def profile_for(self, name: str, batch: int) -> int | None:
        """Number of the profile that takes so many strips; the one made for them, if there is."""
        fitting = []
        for profile in range(self._engine.num_optimization_profiles):
            shapes = self._engine.get_tensor_profile_shape(name, profile)
            least, best, most = (shape[0] for shape in shapes)
            if least <= batch <= most:
                fitting.append((best != batch, profile))
        return min(fitting)[1] if fitting else None

    @property
    def scratch_bytes(self) -> int:
        """Device memory that a context needs while it runs."""
        size: int = self._engine.device_memory_size_v2
        return size

    def context(
        self, shape: Shape, *, input_name: str, addresses: Mapping[str, int], scratch: int
    ) -> "PlanContext":
        """Make a plan ready for one batch size.

        A CUDA graph holds on to the state that its context had, so each batch size has its own.
        They share the memory in which they compute: only one of them runs at a time.

        Args:
            shape: of the input, batch included.
            input_name: of the input.
            addresses: of all inputs and outputs, on the device.
            scratch: address of `scratch_bytes` on the device.

        Raises:
            PlanError: TensorRT refuses any of it.
            CudaError: because CUDA failed.
        """
        context = self._new_context()
        if context is None:
            raise self._refused("create_execution_context")
        context.set_device_memory(scratch, self.scratch_bytes)
        for name, address in addresses.items():
            if not context.set_tensor_address(name, address):
                raise self._refused("set_tensor_address")
        return PlanContext(context, self._log, input_name=input_name, shape=shape)

    def _new_context(self) -> Any:  # noqa: ANN401 - an untyped package
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        specialization = getattr(self._trt, "DynamicShapesKernelSpecializationStrategy", None)
        if specialization is None:
            return self._engine.create_execution_context(strategy)
        # TensorRT-RTX starts with makeshift kernels and compiles better ones beside: a graph
        # captured meanwhile would keep the makeshift ones for ever.
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.dynamic_shapes_kernel_specialization_strategy = specialization.EAGER
        return self._engine.create_execution_context(config)

    def _refused(self, call: str) -> EngineError:
        said = "; ".join(self._log) or NOTHING_SAID
        if CUDA_FAILED in said:
            return CudaError(f"TensorRT's {call}", said)
        return PlanError(f"{self._name}: TensorRT's {call} failed: {said}; {REBUILD}")


class PlanContext:
    """A plan with the shape of one batch size."""

    def __init__(self, context: Any, log: deque[str], *, input_name: str, shape: Shape) -> None:  # noqa: ANN401 - an untyped package
        self._context = context
        self._log = log
        self._input = input_name
        self._shape = shape

    def choose(self, profile: int, stream: int) -> None:
        """Set profile and shape; the stream has to be waited for before anything is enqueued.

        Raises:
            CudaError: TensorRT refuses them.
            PlanError: what the plan does can't be captured.
        """
        self._check("set_optimization_profile_async", profile, stream)
        self._check("set_input_shape", self._input, self._shape)
        is_capturable = getattr(self._context, "is_stream_capturable", None)  # TensorRT-RTX has it
        if is_capturable is not None and not is_capturable(stream):
            raise PlanError(f"the plan takes memory while it runs, which no graph can; {REBUILD}")

    def enqueue(self, stream: int) -> None:
        """Put the network's work into a stream.

        Raises:
            CudaError: TensorRT couldn't.
        """
        self._check("execute_async_v3", stream)

    def _check(self, call: str, *arguments: object) -> None:
        if not getattr(self._context, call)(*arguments):
            raise CudaError(f"TensorRT's {call}", "; ".join(self._log) or NOTHING_SAID)


def _logger(trt: Any, lines: deque[str]) -> Any:  # noqa: ANN401 - an untyped package
    """A logger of TensorRT's that keeps the errors."""
    errors = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class _Logger(trt.ILogger):  # type: ignore[misc]  # known only at run time
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # as TensorRT wants it: super() isn't enough

        def log(self, severity: object, message: str) -> None:
            if severity in errors:
                lines.append(message)

    return _Logger()
