"""From `model.onnx` to a plan by the ONNX parser of TensorRT or TensorRT-RTX.

Runs in the build's own process: TensorRT keeps more than a gigabyte mapped after a build.
"""

from collections.abc import Callable
from typing import Any

from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.faults import NoPlanError, NoTensorRtError, OperatorError
from edge_daemon.plans.fingerprint import NOTHING, PlanKey
from edge_daemon.plans.flavours import (
    aim_at,
    keep_nans,
    leave_memory_to_the_caller,
    load_flavour,
    network_flags,
)
from edge_daemon.plans.layers import BuiltPlan, describe_network
from edge_daemon.plans.phases import monitor_of
from edge_daemon.plans.resolving import NETWORK_FILES

NODES_SHOWN = 4
SIMPLIFY = "use operators that TensorRT has, or run this bundle on the CPU"


def build_from_onnx(bundle: Bundle, key: PlanKey, report: Callable[[float], None]) -> BuiltPlan:
    """Build a plan from a bundle's ONNX file.

    Args:
        bundle: the network.
        key: which plan.
        report: told the share done, 0..1.

    Raises:
        NoTensorRtError: TensorRT, or the `onnx` package, isn't installed.
        OperatorError: the parser refuses an operator.
        NoPlanError: the network can't be put in half precision, or TensorRT gives no engine.
    """
    return build_network(prepare_network(bundle, key), key, report)


def prepare_network(bundle: Bundle, key: PlanKey) -> bytes:
    """The ONNX network that is built: in half precision, with `counts` and `valid`.

    Raises:
        NoTensorRtError: the `onnx` package isn't installed.
        OperatorError: the graph has an operator that ONNX doesn't know.
        NoPlanError: it can't be put in half precision.
    """
    try:
        from edge_daemon.plans.network import prepare  # noqa: PLC0415 - needs the `onnx` package
    except ImportError as error:
        raise NoTensorRtError(f"a plan from ONNX takes one more package: {error}") from error
    return prepare(bundle.directory / NETWORK_FILES[key.precision], thresholds_of(bundle))


def build_network(network: bytes, key: PlanKey, report: Callable[[float], None]) -> BuiltPlan:
    """Build an ONNX network as it is.

    Raises:
        OperatorError: the parser refuses an operator.
        NoPlanError: TensorRT gives no engine.
    """
    trt = load_flavour(key.flavour)
    messages = _Messages(trt)
    builder = trt.Builder(messages.logger)
    definition = builder.create_network(network_flags(trt))
    _parse(trt, definition, network, messages)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.progress_monitor = monitor_of(trt, report)
    keep_nans(trt, config)
    leave_memory_to_the_caller(trt, config)
    aim_at(trt, config, None if key.compute_capability == NOTHING else key.compute_capability)
    strips = definition.get_input(0)
    for batches in key.batches:
        profile = builder.create_optimization_profile()
        sizes = ((n, 1, *key.strip_px) for n in (batches.least, batches.best, batches.most))
        profile.set_shape(strips.name, *sizes)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise NoPlanError(f"{trt.__name__} {trt.__version__} built nothing: {messages.last()}")
    return BuiltPlan(bytes(plan), describe_network(definition))


def _parse(trt: Any, definition: Any, network: bytes, messages: "_Messages") -> None:  # noqa: ANN401 - untyped library
    parser = trt.OnnxParser(definition, messages.logger)
    if parser.parse(network):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    operators = sorted({one.node_operator() for one in errors if one.node_operator()})
    version = f"{trt.__name__} {trt.__version__}"
    if not operators:
        reasons = "; ".join(one.desc() for one in errors) or messages.last()
        raise NoPlanError(f"{version} can't read the network: {reasons}")
    nodes = [one.node_name() for one in errors if one.node_name()][:NODES_SHOWN]
    shown = ", ".join(nodes) or f"{len(errors)} node{'s' * (len(errors) > 1)}"
    raise OperatorError(operators, f"{version} refuses {shown}", remedy=SIMPLIFY)


class _Messages:
    """TensorRT's warnings and errors, kept for when it only says that it failed."""

    def __init__(self, trt: Any) -> None:  # noqa: ANN401 - untyped library
        self._said: list[str] = []
        said, severity = self._said, trt.ILogger.Severity

        class Logger(trt.ILogger):  # type: ignore[misc]  # untyped library
            def __init__(self) -> None:
                trt.ILogger.__init__(self)  # the bindings want it called in this way

            def log(self, level: object, message: str) -> None:
                if level in {severity.INTERNAL_ERROR, severity.ERROR}:
                    said.append(message)

        self.logger = Logger()

    def last(self) -> str:
        """The last few, in one line."""
        return "; ".join(self._said[-3:]) or "it doesn't say why"
