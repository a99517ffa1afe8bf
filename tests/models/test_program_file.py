"""The torch.export program: half precision inside, float32 out, a start for fine-tuning."""

import copy
import zipfile
from pathlib import Path

import pytest
import torch

from models.config import EncoderUnetConfig
from models.network import SteelNet, build_network
from models.program_file import read_in_single_precision, write_program


@pytest.fixture(scope="module")
def path(tiny_network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_program(tiny_network, path, height=64, width=128)
    return path


@pytest.fixture(scope="module")
def program(path: Path) -> torch.export.ExportedProgram:
    return torch.export.load(path)


def noise() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (2, 1, 64, 128), dtype=torch.uint8, generator=generator)


def test_every_weight_is_in_half_precision(program: torch.export.ExportedProgram) -> None:
    kinds = {tensor.dtype for tensor in program.state_dict.values() if tensor.is_floating_point()}
    assert kinds == {torch.float16}


def test_any_number_of_strips_gives_float32(program: torch.export.ExportedProgram) -> None:
    module = program.module()
    for count in (1, 3):
        with torch.inference_mode():
            answer = module(torch.zeros((count, 1, 64, 128), dtype=torch.uint8))
        assert answer.shape == (count, 4, 16, 32)
        assert answer.dtype == torch.float32


@pytest.fixture(scope="module")
def rounded(tiny_config: EncoderUnetConfig, tiny_network: SteelNet) -> SteelNet:
    """Make the network with the weights that half precision can hold."""
    network = build_network(tiny_config).eval()
    network.load_state_dict(copy.deepcopy(tiny_network).half().state_dict())
    return network


def test_its_weights_start_a_network(
    program: torch.export.ExportedProgram, tiny_config: EncoderUnetConfig, rounded: SteelNet
) -> None:
    network = build_network(tiny_config)
    network.load_state_dict(program.state_dict)
    with torch.inference_mode():
        assert torch.equal(network.eval()(noise()), rounded(noise()))


def test_in_single_precision_it_gives_the_answers_of_the_network(
    path: Path, rounded: SteelNet
) -> None:
    with torch.inference_mode():
        found, expected = read_in_single_precision(path)(noise()), rounded(noise())
    assert expected.std() > 0.05
    assert torch.allclose(found, expected, atol=1e-4)


def test_in_half_precision_it_gives_about_the_same(
    program: torch.export.ExportedProgram, rounded: SteelNet
) -> None:
    with torch.inference_mode():
        found, expected = program.module()(noise()), rounded(noise())
    assert float((found - expected).abs().mean()) < 0.01


def test_single_precision_leaves_no_half_anywhere(path: Path) -> None:
    module = read_in_single_precision(path)
    dtypes = {tensor.dtype for tensor in module.state_dict().values()}
    assert torch.float16 not in dtypes
    assert "float16" not in str(getattr(module, "code", ""))


def test_nothing_tells_where_or_when_it_was_made(
    path: Path, program: torch.export.ExportedProgram
) -> None:
    assert program.example_inputs is None
    assert not any("stack_trace" in node.meta for node in program.graph.nodes)
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(b".py" in archive.read(name) for name in archive.namelist())


@pytest.mark.slow
def test_two_exports_are_the_same_file(path: Path, tiny_network: SteelNet, tmp_path: Path) -> None:
    write_program(tiny_network, tmp_path / "model.pt2", height=64, width=128)
    assert (tmp_path / "model.pt2").read_bytes() == path.read_bytes()
