"""Runs a bundle's network with ONNX Runtime on the CPU."""

from collections.abc import Sequence

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX, Probabilities, Strips
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.answers import check_probabilities, count_above, thresholds_of
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.onnx_runtime import onnxruntime, runtime
from edge_daemon.inference.segmenter import Answers

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


class OnnxSegmenter:
    """A network that is loaded and ready to run; make it with `load_onnx`.

    It takes one strip at a time: on a processor a larger batch brings nothing and costs memory.
    """

    def __init__(self, session: onnxruntime.InferenceSession, bundle: Bundle) -> None:
        self._session = session
        self._input = bundle.manifest.input.name
        self._output = bundle.manifest.output.name
        self._cells = bundle.manifest.output.shape[1:]
        self._stride_px = bundle.manifest.output.stride
        self._thresholds = thresholds_of(bundle)

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        return self._stride_px

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once."""
        return 1

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at one strip, (256, 1600) uint8.

        Raises:
            EngineError: the runtime failed, or what it gave is no probability.
        """
        try:
            answers: Probabilities = self._session.run(
                [self._output], {self._input: _batch(strips)}
            )[0]
        except RUNTIME_ERRORS as error:
            raise EngineError(f"ONNX Runtime failed: {error}") from error
        check_probabilities(answers, (len(strips), *self._cells))
        return Answers(count_above(answers, self._thresholds), answers.__getitem__)


def _batch(strips: Sequence[GreyImage]) -> Strips:
    """(N, 1, 256, 1600); a single strip that lies in one piece is not copied."""
    if len(strips) == 1:
        return np.ascontiguousarray(strips[0])[None, None]
    return np.stack(strips)[:, None]


def load_onnx(bundle: Bundle, *, threads: int = 0) -> OnnxSegmenter:
    """Load a bundle's network.

    Args:
        bundle: the checked bundle.
        threads: CPU threads for one strip; 0 leaves the choice to ONNX Runtime.

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
    return OnnxSegmenter(session, bundle)


def _check_names(session: onnxruntime.InferenceSession, bundle: Bundle) -> None:
    inputs = [one.name for one in session.get_inputs()]
    outputs = [one.name for one in session.get_outputs()]
    manifest = bundle.manifest
    if inputs != [manifest.input.name] or manifest.output.name not in outputs:
        raise BundleError(
            f"{bundle.onnx_path}: takes {inputs} and gives {outputs}, the manifest names "
            f"{manifest.input.name!r} and {manifest.output.name!r}; export the bundle again"
        )
