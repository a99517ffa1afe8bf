"""The real TensorRT-RTX as far as it goes without a GPU; a FAKE of it for the rest."""

import warnings
from collections import deque
from typing import Any

import pytest

from edge_daemon.cuda import tensorrt
from edge_daemon.cuda.errors import CudaError, PlanError
from edge_daemon.cuda.tensorrt import LoadedPlan


@pytest.fixture(scope="module")
def rtx() -> Any:  # noqa: ANN401 - an untyped package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the bindings' own
        return pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")


def build(trt: Any) -> bytes:  # noqa: ANN401 - an untyped package
    """A real engine that passes on what it is given; TensorRT-RTX makes it without a GPU."""
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    taken = network.add_input("taken", trt.DataType.HALF, (1, 8))
    network.mark_output(network.add_identity(taken).get_output(0))
    return bytes(builder.build_serialized_network(network, builder.create_builder_config()))


@pytest.mark.usefixtures("_no_driver")
def test_a_real_plan_without_a_driver_is_a_cuda_error_that_says_so(
    rtx: Any,  # noqa: ANN401 - an untyped package
) -> None:
    plan = LoadedPlan(rtx, build(rtx), name="real.plan")
    with pytest.raises(CudaError, match=r"deserialize_cuda_engine failed: .*driver version"), plan:
        pass


def test_bytes_that_are_no_plan_are_an_error_with_tensorrts_reason(rtx: Any) -> None:  # noqa: ANN401 - an untyped package
    plan = LoadedPlan(rtx, b"no plan at all", name="damaged.plan")
    with pytest.raises((PlanError, CudaError), match="readHeader"), plan:
        pass


def test_of_what_the_real_logger_is_told_errors_are_kept(rtx: Any) -> None:  # noqa: ANN401 - an untyped package
    lines: deque[str] = deque(maxlen=4)
    logger = tensorrt._logger(rtx, lines)  # noqa: SLF001 - a class that only exists at run time
    severity = rtx.ILogger.Severity
    for level in (severity.VERBOSE, severity.INFO, severity.WARNING, severity.ERROR):
        logger.log(level, level.name)
    assert list(lines) == ["ERROR"]


def test_all_that_the_runner_asks_of_tensorrt_is_in_the_real_package(rtx: Any) -> None:  # noqa: ANN401 - an untyped package
    asked = {
        rtx.ICudaEngine: {
            "num_io_tensors",
            "num_optimization_profiles",
            "get_tensor_name",
            "get_tensor_mode",
            "get_tensor_dtype",
            "get_tensor_shape",
            "get_tensor_profile_shape",
            "device_memory_size_v2",
            "create_runtime_config",
            "create_execution_context",
        },
        rtx.IExecutionContext: {
            "set_device_memory",
            "set_tensor_address",
            "set_optimization_profile_async",
            "set_input_shape",
            "is_stream_capturable",
            "execute_async_v3",
        },
        rtx.IRuntimeConfig: {
            "set_execution_context_allocation_strategy",
            "dynamic_shapes_kernel_specialization_strategy",
        },
        rtx.DataType: {"UINT8", "HALF", "INT32"},
        rtx.TensorIOMode: {"INPUT"},
        rtx.ExecutionContextAllocationStrategy: {"USER_MANAGED"},
        rtx.DynamicShapesKernelSpecializationStrategy: {"EAGER"},
    }
    for kind, names in asked.items():
        assert names <= set(dir(kind)), kind


class FakeRtxEngine:
    """A FAKE of an engine of TensorRT-RTX, whose contexts are made from a configuration."""

    device_memory_size_v2 = 16

    def __init__(self, *, is_capturable: bool) -> None:
        self.is_capturable = is_capturable
        self.strategy = self.dynamic_shapes_kernel_specialization_strategy = ""

    def create_runtime_config(self) -> "FakeRtxEngine":
        return self

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.strategy = strategy

    def create_execution_context(self, config: "FakeRtxEngine") -> "FakeRtxEngine":
        return config

    def set_device_memory(self, _memory: int, size: int) -> None:
        assert size == self.device_memory_size_v2

    def set_optimization_profile_async(self, _profile: int, _stream: int) -> bool:
        return True

    def set_input_shape(self, _name: str, _shape: tuple[int, ...]) -> bool:
        return True

    def is_stream_capturable(self, _stream: int) -> bool:
        return self.is_capturable


class FakeRtx:
    """A FAKE of the package, with what only TensorRT-RTX has."""

    class ILogger:
        class Severity:
            INTERNAL_ERROR, ERROR = 0, 1

    class ExecutionContextAllocationStrategy:
        USER_MANAGED = "user managed"

    class DynamicShapesKernelSpecializationStrategy:
        EAGER = "eager"

    def __init__(self, *, is_capturable: bool) -> None:
        self.engine = FakeRtxEngine(is_capturable=is_capturable)

    def Runtime(self, _logger: object) -> "FakeRtx":  # noqa: N802 - TensorRT's name
        return self

    def deserialize_cuda_engine(self, _content: bytes) -> FakeRtxEngine:
        return self.engine


def choose(fake: FakeRtx) -> None:
    with LoadedPlan(fake, b"plan", name="fake.plan") as plan:
        context = plan.context((1, 8), input_name="taken", addresses={}, scratch=1)
        context.choose(0, 1)


def test_rtx_compiles_its_kernels_before_they_are_captured() -> None:
    fake = FakeRtx(is_capturable=True)
    choose(fake)
    assert fake.engine.dynamic_shapes_kernel_specialization_strategy == "eager"
    assert fake.engine.strategy == "user managed"


def test_a_plan_that_no_graph_can_hold_is_refused() -> None:
    with pytest.raises(PlanError, match="takes memory while it runs"):
        choose(FakeRtx(is_capturable=False))
