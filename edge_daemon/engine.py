"""From a configuration to a network that is loaded and has given its known answer."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_daemon.backends import Backend, choose_backend
from edge_daemon.errors import BundleError
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.plans.resolving import PlanRequest
from edge_daemon.settings import BundleSection

DEFAULT_BUNDLE = "steel-nano"
NO_WISHES = PlanRequest()


@dataclass(frozen=True, slots=True)
class Engine:
    """A bundle and the network that runs it; what that holds on a GPU is freed with its context.

    Attributes:
        bundle: what was loaded.
        segmenter: runs it.
        known_answer: what it must know at any time.
        backend: what the segmenter was when it was loaded.
        exits: what has to be closed.
    """

    bundle: Bundle
    segmenter: Segmenter
    known_answer: KnownAnswerTest
    backend: Backend
    exits: ExitStack

    @property
    def name(self) -> str:
        """Name and version, for messages and metrics."""
        return f"{self.bundle.manifest.name} {self.bundle.manifest.version}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.exits.close()


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
    path: Path | None, *, device: str, threads: int = 0, request: PlanRequest = NO_WISHES
) -> Engine:
    """Load a bundle and put its known answer to the network.

    Args:
        path: the bundle's folder; None takes the shipped one.
        device: auto, cpu or cuda; `edge_daemon.backends` says what comes of it.
        threads: CPU threads; 0 leaves the choice to the runtime.
        request: which plan is run on a GPU.

    Raises:
        ConfigurationError: a device that isn't there.
        BundleError: the bundle is damaged.
        EngineError: the network doesn't give the known answer.
    """
    bundle = load_bundle(shipped_bundle() if path is None else path)
    known_answer = KnownAnswerTest.from_bundle(bundle)
    with ExitStack() as exits:
        backend = choose_backend(
            bundle, device=device, threads=threads, request=request, exits=exits
        )
        known_answer.run(backend.segmenter)
        return Engine(bundle, backend.segmenter, known_answer, backend, exits.pop_all())


def load_configured(section: BundleSection) -> Engine:
    """Load the network as `[bundle]` has it; raises what `load_engine` does."""
    return load_engine(
        section.path,
        device=section.device,
        threads=section.threads,
        request=plan_request(section),
    )


def plan_request(section: BundleSection) -> PlanRequest:
    """Which plan `[bundle]` wants on a GPU."""
    return PlanRequest(precision=section.precision)
