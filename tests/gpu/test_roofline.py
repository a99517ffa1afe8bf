"""The arithmetic of what a network costs at the least; no GPU is needed for it."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from tests.gpu.roofline import Ceilings, Layer, floor_of, layers_of

CEILINGS = Ceilings(operations_per_s=1e12, bytes_per_s=1e9)
BUSY = Layer("busy", operations=2e9, moved_bytes=1e6)
HEAVY = Layer("heavy", operations=1e9, moved_bytes=5e6)


def test_a_layer_takes_the_longer_of_its_two_times() -> None:
    assert CEILINGS.floor_ms(BUSY) == pytest.approx(2.0)
    assert CEILINGS.floor_ms(HEAVY) == pytest.approx(5.0)


def test_a_network_takes_the_sum_of_its_layers() -> None:
    floor = floor_of([BUSY, HEAVY], CEILINGS)
    assert floor.total_ms == pytest.approx(7.0)
    assert floor.memory_ms == pytest.approx(5.0)
    assert floor.weakest == "heavy"
    assert floor.weakest_ms == pytest.approx(5.0)
    assert floor.gflop == pytest.approx(3.0)
    assert floor.megabytes == pytest.approx(6.0)


@pytest.fixture(scope="module")
def by_batch() -> dict[int, list[Layer]]:
    return layers_of(load_bundle(shipped_bundle()).program_path, batches=(1, 8))


@pytest.fixture(scope="module")
def layers(by_batch: dict[int, list[Layer]]) -> list[Layer]:
    return by_batch[1]


def test_operations_are_those_that_the_network_is_known_to_take(layers: list[Layer]) -> None:
    complexity = pytest.importorskip("models.complexity", reason="the training extra is missing")
    config = pytest.importorskip("models.config")
    pydantic = pytest.importorskip("pydantic")
    architecture = load_bundle(shipped_bundle()).manifest.provenance.architecture
    network = pydantic.TypeAdapter(config.NetworkConfig).validate_python(architecture)
    counted = sum(layer.operations for layer in layers) / 1e9
    assert counted == pytest.approx(complexity.gflops(network), rel=0.001)


def test_the_first_layer_reads_the_strip_at_half_its_resolution(layers: list[Layer]) -> None:
    assert layers[0].name == "conv 3x3 1>32 at 64x400"
    assert layers[0].operations == 2 * 32 * 64 * 400 * 9
    assert layers[0].moved_bytes == 2 * (128 * 800 + 32 * 9 + 32 * 64 * 400)


def test_weights_are_read_once_for_a_whole_batch(by_batch: dict[int, list[Layer]]) -> None:
    one, eight = by_batch[1][0], by_batch[8][0]
    assert eight.operations == 8 * one.operations
    assert eight.moved_bytes == 8 * one.moved_bytes - 7 * 2 * 32 * 9


def test_convolutions_of_single_channels_are_told_apart(layers: list[Layer]) -> None:
    kinds = {layer.name.split()[0] for layer in layers}
    assert kinds == {"conv", "depthwise"}
