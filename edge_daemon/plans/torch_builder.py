"""From `model.pt2` to a plan by torch-tensorrt, where it and TensorRT are installed.

Runs in the build's own process: importing torch-tensorrt takes seconds and a working CUDA driver.
Precision lies in the program, which computes in float16: the one way that works alike with
torch-tensorrt 2.8 to 2.14 and TensorRT 10.3 to 11. The engine is built whole: no operator falls
back to torch. torch-tensorrt calls its outputs output0, output1, output2: here they are
probability, counts and valid, which differ in type and rank, so that a reader can tell.
"""

import importlib
import logging
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.faults import NoPlanError, NoTensorRtError, OperatorError
from edge_daemon.plans.fingerprint import MAX_BATCH, PlanKey
from edge_daemon.plans.flavours import load_flavour
from edge_daemon.plans.layers import BuiltPlan, describe_engine
from edge_daemon.plans.outputs import JUST_ABOVE_1, JUST_BELOW_0

LAST_WEAKLY_TYPED = (2, 11)
"""Until then torch-tensorrt has to be told to keep the program's types."""
OPERATOR = re.compile(
    r"(?:torch\.ops\.|torch\._ops\.)?\b(?:aten|prims|torchvision)[.:]+\w+(?:\.\w+)?"
)
PARSER_INSTEAD = "build it by TensorRT's ONNX parser: --builder onnx"
READ_ERRORS = (RuntimeError, ValueError, KeyError, OSError, zipfile.BadZipFile)
"""What torch raises where it can't read a program: that has no class of its own."""
BUILD_ERRORS = (RuntimeError, UnboundLocalError, AssertionError, TypeError, ValueError)
"""What torch-tensorrt raises: its 2.11 logs the cause and fails over a variable never set."""


def build_from_torch(bundle: Bundle, key: PlanKey, report: Callable[[float], None]) -> BuiltPlan:
    """Build a plan from a bundle's torch program.

    Args:
        bundle: the network.
        key: which plan.
        report: told the share done; torch-tensorrt doesn't say how far it is.

    Raises:
        NoTensorRtError: torch-tensorrt can't be imported.
        OperatorError: it has no converter for an operator.
        NoPlanError: the program can't be read, or nothing came of the build.
    """
    torch_tensorrt = _import_torch_tensorrt()
    report(0.1)
    program = move_to_device_pass(counting_program(bundle), "cuda")
    report(0.2)
    (batches,) = key.batches
    sizes = [(n, 1, *key.strip_px) for n in (batches.least, batches.best, batches.most)]
    strips = torch_tensorrt.Input(
        min_shape=sizes[0], opt_shape=sizes[1], max_shape=sizes[2], dtype=torch.uint8
    )
    with _logged("torch_tensorrt") as lines:
        try:
            content = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
                program, arg_inputs=[strips], **typing_options(torch.__version__)
            )
        except BUILD_ERRORS as error:
            raise failure([*lines, str(error)]) from error
    return BuiltPlan(bytes(content), describe_engine(load_flavour(key.flavour), bytes(content)))


class CountingNetwork(nn.Module):
    """A network that counts on the device, as `network` has it in ONNX; `outputs` says what.

    Shape:
        - Input: (N, 1, H, W) uint8
        - Output: probability (N, K, h, w) float16, counts (N, K) int32, valid (N,) int32
    """

    thresholds: Tensor

    def __init__(self, network: nn.Module, thresholds: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("thresholds", thresholds[None, :, None, None])

    def forward(self, strip: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probability, counts and valid of uint8 strips."""
        probability = self.network(strip).half()
        seen = probability.float()
        above = (seen > self.thresholds).to(torch.int32)
        valid = ((seen > JUST_BELOW_0) & (seen < JUST_ABOVE_1)).to(torch.int32)
        return (
            probability,
            above.sum(dim=(2, 3), dtype=torch.int32),
            valid.sum(dim=(1, 2, 3), dtype=torch.int32),
        )


def counting_program(bundle: Bundle) -> torch.export.ExportedProgram:
    """A bundle's program with counts and valid, exported again, on the CPU.

    Raises:
        NoPlanError: this torch can't read the bundle's program.
    """
    try:
        network = torch.export.load(bundle.program_path).module()
    except READ_ERRORS as error:
        raise NoPlanError(
            f"{bundle.program_path}: torch {torch.__version__} can't read it ({error}); an older "
            f"torch may not read what a newer one wrote: {PARSER_INSTEAD}"
        ) from error
    _, _, height, width = bundle.manifest.input.shape
    return torch.export.export(
        CountingNetwork(network, torch.from_numpy(thresholds_of(bundle))),
        (torch.zeros((2, 1, height, width), dtype=torch.uint8),),
        dynamic_shapes=({0: torch.export.Dim("N", min=1, max=MAX_BATCH)},),
    )


def typing_options(version: str) -> dict[str, bool]:
    """Options that make a torch-tensorrt of this torch's version keep the program's types."""
    major, minor = version.split(".")[:2]
    return {"use_explicit_typing": True} if (int(major), int(minor)) <= LAST_WEAKLY_TYPED else {}


def failure(lines: Iterable[str]) -> NoPlanError:
    """The error that says what torch-tensorrt's messages mean, with operators by name."""
    said = [line for line in lines if line]
    telling = [line for line in said if "not currently supported" in line or "onver" in line]
    operators = sorted({name for line in telling for name in OPERATOR.findall(line)})
    detail = (telling or said or ["it doesn't say why"])[-1].strip().splitlines()[0]
    if operators:
        return OperatorError(operators, f"torch-tensorrt: {detail}", remedy=PARSER_INSTEAD)
    return NoPlanError(f"torch-tensorrt: {detail}; {PARSER_INSTEAD}")


def _import_torch_tensorrt() -> Any:  # noqa: ANN401 - untyped library
    try:
        return importlib.import_module("torch_tensorrt")
    except (ImportError, OSError, RuntimeError) as error:
        raise NoTensorRtError(
            f"torch-tensorrt can't be imported ({error}); {PARSER_INSTEAD}"
        ) from error


@contextmanager
def _logged(name: str) -> Iterator[list[str]]:
    """What a library logs as an error or a warning meanwhile."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = logging.getLogger(name), Keeping(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
