"""An engine that breaks while it runs: what it was looking at is told, the process leaves."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_daemon.engine import shipped_bundle
from tests.conftest import wait_until
from tests.edge_daemon.conftest import DaemonProcess
from tests.edge_daemon.marked_steel import BRIGHT, SOUND, message, steel

pytestmark = pytest.mark.timeout(300)  # for a busy computer
HEIGHT, WIDTH = 256, 1600
LIMIT = 254.5


def write_bundle(folder: Path) -> Path:
    """A network that calls bright cells scratches, and answers NaN where one is white."""
    path = Path(shutil.copytree(shipped_bundle(), folder / "bundle"))
    onnx.save(brightness_network(), path / "model.onnx")
    strip = np.full((1, 1, HEIGHT, WIDTH), SOUND, np.uint8)
    expected = np.full((1, 1, HEIGHT // 4, WIDTH // 4), SOUND / BRIGHT, np.float32)
    np.savez(path / "known_answer.npz", strip=strip, probability=expected)
    manifest = json.loads((path / "bundle.json").read_text())
    manifest["classes"] = [
        {"id": 1, "name": "scratch", "threshold": 0.8, "min_area_px": 64, "severity": "major"}
    ]
    manifest["output"]["shape"] = ["N", 1, HEIGHT // 4, WIDTH // 4]
    manifest["files"] = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.iterdir()
        if file.name != "bundle.json"
    }
    (path / "bundle.json").write_text(json.dumps(manifest))
    return path


def brightness_network() -> onnx.ModelProto:
    numbers = {"white": BRIGHT, "limit": LIMIT, "nothing": 0.0}
    nodes = [
        helper.make_node("Cast", ["strip"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("MaxPool", ["grey"], ["cell"], kernel_shape=[4, 4], strides=[4, 4]),
        # The logarithm of what is below 0 is NaN, and so is nothing times it.
        helper.make_node("Sub", ["limit", "cell"], ["room"]),
        helper.make_node("Log", ["room"], ["logarithm"]),
        helper.make_node("Mul", ["logarithm", "nothing"], ["zero"]),
        helper.make_node("Div", ["cell", "white"], ["share"]),
        helper.make_node("Add", ["share", "zero"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("strip", TensorProto.UINT8, ["N", 1, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 1, 64, 400])],
        [helper.make_tensor(name, TensorProto.FLOAT, [], [n]) for name, n in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@dataclass(frozen=True)
class Fault:
    """What a daemon left behind that met a white frame, and what the next one told."""

    exit_code: int
    log: str
    told: list[dict[str, Any]]
    rows_inspected_after: float


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> Fault:
    folder = tmp_path_factory.mktemp("fault")
    flat = ["[image]", "black = false", "white = false", "frozen = false", "blurred = false"]
    daemon = DaemonProcess(folder, "[bundle]", f'path = "{write_bundle(folder)}"', *flat)
    with daemon, daemon.camera() as camera:
        for seq, grey in enumerate([SOUND, SOUND, BRIGHT, SOUND]):
            camera.send_multipart(message(steel(value=grey), seq=seq, t_ns=seq).parts)
        exit_code = daemon.await_end()
        log = daemon.log.read_text()
    with daemon, daemon.camera() as camera:
        camera.send_multipart(message(steel(), seq=4, t_ns=4).parts)
        daemon.await_frames(1)
        wait_until(lambda: "event/coverage" in daemon.out.read_text())
        rows = daemon.scrape().total("lines_inspected_total")
        assert daemon.stop() == 0
    lines = [line.partition(" ") for line in daemon.out.read_text().splitlines()]
    told = [json.loads(text) for topic, _, text in lines if topic == "event/coverage"]
    return Fault(exit_code, log, told, rows)


def test_the_process_leaves_with_70_and_says_why(fault: Fault) -> None:
    assert fault.exit_code == 70
    assert "CRITICAL edge_daemon.daemon: leaving: the network answered" in fault.log


def test_what_the_engine_failed_on_and_what_came_after_is_told_as_not_inspected(
    fault: Fault,
) -> None:
    assert [(told["reason"], told["from_line"], told["to_line"]) for told in fault.told] == [
        ("engine_fault", 2 * HEIGHT, 3 * HEIGHT),
        ("daemon_restart", 3 * HEIGHT, 4 * HEIGHT),
    ]


def test_the_next_one_goes_on_inspecting(fault: Fault) -> None:
    assert fault.rows_inspected_after == HEIGHT
