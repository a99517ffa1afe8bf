"""From a configuration to a network that is loaded and has given its known answer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.errors import BundleError, ConfigurationError
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.onnx_segmenter import load_onnx
from edge_daemon.inference.segmenter import Segmenter

DEFAULT_BUNDLE = "steel-nano"


@dataclass(frozen=True, slots=True)
class Engine:
    """A bundle and the network that runs it.

    Attributes:
        bundle: what was loaded.
        segmenter: runs it.
        known_answer: what it must know at any time.
    """

    bundle: Bundle
    segmenter: Segmenter
    known_answer: KnownAnswerTest

    @property
    def name(self) -> str:
        """Name and version, for messages and metrics."""
        return f"{self.bundle.manifest.name} {self.bundle.manifest.version}"


def shipped_bundle() -> Path:
    """Where the default bundle lies: inside the installed package, or in a checkout's zoo.

    Raises:
        BundleError: in neither place.
    """
    package = Path(__file__).resolve().parent
    for zoo in (package / "zoo", package.parent / "models" / "zoo"):
        if (zoo / DEFAULT_BUNDLE).is_dir():
            return zoo / DEFAULT_BUNDLE
    raise BundleError(
        f"the shipped bundle {DEFAULT_BUNDLE} isn't installed; install the package again, or name "
        "a bundle with [bundle] path"
    )


def load_engine(
    path: Path | None,
    *,
    device: str,
    threads: int = 0,
    beat: Callable[[], None] = lambda: None,
) -> Engine:
    """Load a bundle and put its known answer to the network.

    Args:
        path: the bundle's folder; None takes the shipped one.
        device: auto, cpu or cuda.
        threads: CPU threads; 0 leaves the choice to the runtime.
        beat: called between the turns of a frame that takes several.

    Raises:
        ConfigurationError: a device that this version can't use.
        BundleError: the bundle is damaged.
        EngineError: the network doesn't give the known answer.
    """
    if device == "cuda":
        raise ConfigurationError(
            '[bundle] device: "cuda" is not built yet in this version; use "auto" or "cpu"'
        )
    bundle = load_bundle(shipped_bundle() if path is None else path)
    segmenter = load_onnx(bundle, threads=threads, beat=beat)
    known_answer = KnownAnswerTest.from_bundle(bundle)
    known_answer.run(segmenter)
    return Engine(bundle, segmenter, known_answer)
