"""TensorRT and TensorRT-RTX: one Python API, and the few places where versions differ.

The one module here that imports either; builders get the module object from it. Neither is imported
before it is asked for: a box without them runs on the processor.
"""

import importlib
from types import ModuleType
from typing import Any, Protocol

from edge_daemon.plans.faults import NoTensorRtError
from edge_daemon.plans.fingerprint import Flavour, GpuIdentity

HOW_TO_GET_ONE = (
    "install TensorRT (pip install tensorrt; on a Jetson it comes with JetPack, "
    "apt install python3-libnvinfer) or, for RTX cards, TensorRT-RTX (pip install tensorrt-rtx)"
)


class BuilderConfig(Protocol):
    """What of TensorRT's IBuilderConfig is set here."""

    num_compute_capabilities: int

    def set_flag(self, flag: object) -> None:
        """Switch something on."""

    def set_compute_capability(self, capability: object, index: int) -> bool:
        """Aim at a GPU; TensorRT-RTX only."""
        ...


def load_flavour(flavour: Flavour) -> Any:  # noqa: ANN401 - untyped library
    """The package's module.

    Raises:
        NoTensorRtError: it isn't installed, or its libraries aren't.
    """
    module = _try_import(flavour)
    if isinstance(module, Exception):
        raise NoTensorRtError(f"{flavour} can't be imported ({module}); {HOW_TO_GET_ONE}")
    return module


def installed_flavours() -> list[Flavour]:
    """Those that can be imported, best first."""
    return [one for one in Flavour if isinstance(_try_import(one), ModuleType)]


def _try_import(flavour: Flavour) -> ModuleType | Exception:
    try:
        return importlib.import_module(flavour)
    except (ImportError, OSError) as error:  # OSError: its shared libraries can't be loaded
        return error


def choose_flavour(asked: Flavour | None, gpu: GpuIdentity) -> Flavour:
    """The flavour to build for a GPU with.

    Only TensorRT-RTX can build where there is no GPU: one plan for all cards that it knows from
    compute capability 8.0 on.

    Args:
        asked: None leaves the choice: TensorRT where it is installed.
        gpu: what was found.

    Raises:
        NoTensorRtError: it isn't there, or has nothing for this GPU.
    """
    reasons = []
    for flavour in [asked] if asked else Flavour:
        module = _try_import(flavour)
        if isinstance(module, Exception):
            reasons.append(f"{flavour} can't be imported ({module})")
        elif reason := _unfit(flavour, module, gpu):
            reasons.append(reason)
        else:
            return flavour
    raise NoTensorRtError(f"{'; '.join(reasons)}; {HOW_TO_GET_ONE}")


def rtx_capabilities(trt: Any) -> list[str]:  # noqa: ANN401 - untyped library
    """Compute capabilities that this TensorRT-RTX knows, such as 8.9."""
    names = [name for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
    return [f"{name[2:-1]}.{name[-1]}" for name in names]


def _unfit(flavour: Flavour, module: Any, gpu: GpuIdentity) -> str | None:  # noqa: ANN401 - untyped library
    match flavour:
        case Flavour.TENSORRT:
            return None if gpu.is_there else f"{flavour} builds for the GPU it finds: there is none"
        case Flavour.TENSORRT_RTX:
            known = rtx_capabilities(module)
            if not gpu.is_there or gpu.compute_capability in known:
                return None
            return (
                f"{flavour} {module.__version__} has nothing for {gpu.name} with compute "
                f"capability {gpu.compute_capability}, only for {', '.join(known)}"
            )


def network_flags(trt: Any) -> int:  # noqa: ANN401 - untyped library
    """Flags for a network whose types are those of its graph.

    TensorRT 10 has to be told; from 11 on there is no other kind, and the flag may be gone.
    """
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def keep_nans(trt: Any, config: BuilderConfig) -> None:  # noqa: ANN401 - untyped library
    """Forbid rewriting x * 0 to 0 and the like: a NaN has to reach the outputs to be found."""
    flag = getattr(trt.BuilderFlag, "STRICT_NANS", None)  # TensorRT 10.3 may lack it
    if flag is not None:
        config.set_flag(flag)


def leave_memory_to_the_caller(trt: Any, config: BuilderConfig) -> None:  # noqa: ANN401 - untyped library
    """Forbid TensorRT-RTX to take memory while it runs: no CUDA graph could hold that."""
    flag = getattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION", None)  # TensorRT never does
    if flag is not None:
        config.set_flag(flag)


def aim_at(trt: Any, config: BuilderConfig, compute_capability: str | None) -> None:  # noqa: ANN401 - untyped library
    """Let TensorRT-RTX build for one GPU; None: for all from 8.0 on. TensorRT builds for its own.

    Raises:
        NoTensorRtError: TensorRT-RTX doesn't take it.
    """
    if compute_capability is None or not hasattr(trt, "ComputeCapability"):
        return
    target = getattr(trt.ComputeCapability, f"SM{compute_capability.replace('.', '')}", None)
    config.num_compute_capabilities = 1
    if target is None or not config.set_compute_capability(target, 0):
        raise NoTensorRtError(
            f"{trt.__name__} {trt.__version__} doesn't build for compute capability "
            f"{compute_capability}, only for {', '.join(rtx_capabilities(trt))}; {HOW_TO_GET_ONE}"
        )
