"""Bundles to build plans from: the shipped ones, and a tiny one that is built at once."""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.plans.fingerprint import (
    ANY_STRIPS,
    ONE_STRIP,
    Builder,
    Flavour,
    PlanKey,
    Precision,
)

ZOO = shipped_bundle().parent
needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt-rtx is not installed: nothing here can build plans",
)

Children: TypeAlias = Callable[[], list[int]]
"""Tells the processes that a test has started."""


def write_bundle(folder: Path, model: onnx.ModelProto) -> Bundle:
    """A bundle like the shipped one with another ONNX network."""
    shutil.copytree(shipped_bundle(), folder)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"]["model.onnx"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return load_bundle(folder)


def tiny_network(**changed: list[onnx.NodeProto]) -> onnx.ModelProto:
    """A network with the shipped ones' input and output and one convolution.

    `before_output` are further nodes from `raw` to `last`.
    """
    rng = np.random.default_rng(0)
    node = helper.make_node
    nodes = [
        node("Cast", ["strip"], ["grey"], to=TensorProto.FLOAT),
        node("Div", ["grey", "scale"], ["scaled"]),
        node("AveragePool", ["scaled"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        node("Conv", ["pooled", "weight"], ["raw"], name="convolution", kernel_shape=[1, 1]),
        *changed.get("before_output", [node("Identity", ["raw"], ["last"])]),
        node("Sigmoid", ["last"], ["probability"]),
    ]
    weights = {"scale": np.float32(255.0), "weight": rng.normal(size=(4, 1, 1, 1)) * 4}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("strip", TensorProto.UINT8, ["N", 1, 256, 1600])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 4, 64, 400])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def tossing_network() -> onnx.ModelProto:
    """A network with an operator that ONNX has and TensorRT has not."""
    toss = helper.make_node("Bernoulli", ["raw"], ["last"], name="toss")
    return tiny_network(before_output=[toss])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose plan is built at once."""
    return write_bundle(tmp_path_factory.mktemp("tiny") / "bundle", tiny_network())


@pytest.fixture
def key() -> PlanKey:
    """What some plan was made from, by and for."""
    return PlanKey(
        recipe=1,
        bundle="b" * 64,
        precision=Precision.FP16,
        strip_px=(256, 1600),
        batches=(ONE_STRIP, ANY_STRIPS),
        builder=Builder.ONNX,
        builder_version="none",
        flavour=Flavour.TENSORRT_RTX,
        flavour_version="1.7.1.116",
        machine="x86_64",
        gpu="NVIDIA RTX 4000 Ada",
        compute_capability="8.9",
        driver="580.65.06 (CUDA 13.0)",
    )


@pytest.fixture
def our_children() -> Children:
    """Processes that this test has started and that still run; other tests may keep theirs."""
    before = set(children_of(os.getpid()))
    return lambda: [child for child in children_of(os.getpid()) if child not in before]


def children_of(parent: int) -> list[int]:
    """Processes that another one has started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = status.read_text().rpartition(")")
        except OSError:  # gone meanwhile
            continue
        state, ppid, *_ = rest.split()
        if int(ppid) == parent and state != "Z":
            found.append(int(status.parent.name))
    return found


def compile_command(bundle: Bundle, cache: Path) -> list[str]:
    """A process that does what `edge-daemon compile --json` does."""
    script = (
        "import sys; from pathlib import Path; "
        "from edge_daemon.cli.compiling import compile_and_print as go; "
        "go(Path(sys.argv[1]), builder='onnx', flavour='tensorrt_rtx', precision='fp16', "
        "cache=Path(sys.argv[2]), force=False, as_json=True)"
    )
    return [sys.executable, "-c", script, str(bundle.directory), str(cache)]
