"""Runs a bundle's network with ONNX Runtime on the CPU. The one module that imports onnxruntime."""

from collections.abc import Callable

import onnxruntime
from numpy import concatenate, float32, isfinite
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX, Probabilities, Strips
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.bundle import Bundle

# ONNX Runtime's errors have no common root below Exception.
RUNTIME_ERRORS = (
    runtime.EPFail,
    runtime.EngineError,
    runtime.Fail,
    runtime.InvalidArgument,
    runtime.InvalidGraph,
    runtime.InvalidProtobuf,
    runtime.NoModel,
    runtime.NoSuchFile,
    runtime.NotImplemented,
    runtime.RuntimeException,
    RuntimeError,
)
BATCH = 8
"""Strips run at once; a frame with more is done in turns, so memory doesn't grow with its size."""


class OnnxSegmenter:
    """A network that is loaded and ready to run; make it with `load_onnx`."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        bundle: Bundle,
        *,
        beat: Callable[[], None],
    ) -> None:
        self._session = session
        self._beat = beat
        self._input = bundle.manifest.input.name
        self._output = bundle.manifest.output.name
        self._cells = bundle.manifest.output.shape[1:]
        self._stride_px = bundle.manifest.output.stride

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        return self._stride_px

    def segment(self, strips: Strips) -> Probabilities:
        """Probability of each class at each cell.

        Args:
            strips: (N, 1, 256, 1600) uint8, N of 1 or more.

        Returns:
            (N, K, h, w) float32, finite, 0..1.

        Raises:
            EngineError: the runtime failed, or what it gave is no probability.
        """
        if len(strips) <= BATCH:
            return self._run(strips)
        answers = []
        for at in range(0, len(strips), BATCH):
            answers.append(self._run(strips[at : at + BATCH]))
            self._beat()
        return concatenate(answers)

    def _run(self, strips: Strips) -> Probabilities:
        try:
            answers: Probabilities = self._session.run([self._output], {self._input: strips})[0]
        except RUNTIME_ERRORS as error:
            raise EngineError(f"ONNX Runtime failed: {error}") from error
        check_probabilities(answers, (len(strips), *self._cells))
        return answers


def check_probabilities(answers: Probabilities, shape: tuple[int, ...]) -> None:
    """Hold an engine's answer against what a probability may be.

    A NaN compares as "not above the threshold" and would pass for clean steel.

    Raises:
        EngineError: another shape or type, a value that isn't finite or lies outside 0..1.
    """
    if answers.shape != shape or answers.dtype != float32:
        raise EngineError(
            f"the network answered {answers.dtype} {answers.shape} instead of float32 {shape}"
        )
    lowest, highest = float(answers.min()), float(answers.max())
    if not (isfinite(lowest) and isfinite(highest) and lowest >= 0.0 and highest <= 1.0):
        raise EngineError(f"the network answered {lowest}..{highest}, which is no probability")


def load_onnx(
    bundle: Bundle, *, threads: int = 0, beat: Callable[[], None] = lambda: None
) -> OnnxSegmenter:
    """Load a bundle's network.

    Args:
        bundle: the checked bundle.
        threads: CPU threads for one strip; 0 leaves the choice to ONNX Runtime.
        beat: called after each turn of a frame that takes several: it is no stall.

    Raises:
        BundleError: the network can't be loaded, isn't the one of the manifest, or doesn't take
            strips of 256 x 1600.
    """
    strip = bundle.manifest.input.shape[2:]
    if strip != (STRIP_HEIGHT_PX, STRIP_WIDTH_PX):
        raise BundleError(
            f"{bundle.directory}: takes strips of {strip[0]} x {strip[1]}, this daemon cuts "
            f"{STRIP_HEIGHT_PX} x {STRIP_WIDTH_PX}; export a bundle for that size"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only: they come as exceptions too
    try:
        session = onnxruntime.InferenceSession(
            str(bundle.onnx_path), options, providers=["CPUExecutionProvider"]
        )
    except RUNTIME_ERRORS as error:
        raise BundleError(
            f"{bundle.onnx_path}: ONNX Runtime can't load it ({error}); export the bundle again"
        ) from error
    _check_names(session, bundle)
    return OnnxSegmenter(session, bundle, beat=beat)


def _check_names(session: onnxruntime.InferenceSession, bundle: Bundle) -> None:
    inputs = [one.name for one in session.get_inputs()]
    outputs = [one.name for one in session.get_outputs()]
    manifest = bundle.manifest
    if inputs != [manifest.input.name] or manifest.output.name not in outputs:
        raise BundleError(
            f"{bundle.onnx_path}: takes {inputs} and gives {outputs}, the manifest names "
            f"{manifest.input.name!r} and {manifest.output.name!r}; export the bundle again"
        )
