"""The torch.export program: half precision inside, float32 out, any batch size."""

from pathlib import Path

import pytest
import torch

from models.architecture import SteelNet
from models.fusion import fuse
from models.program_file import write_program


@pytest.fixture(scope="module")
def program(
    tiny_network: SteelNet, tmp_path_factory: pytest.TempPathFactory
) -> torch.export.ExportedProgram:
    path: Path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_program(fuse(tiny_network), path, height=64, width=128)
    return torch.export.load(path)


def test_every_weight_is_in_half_precision(program: torch.export.ExportedProgram) -> None:
    assert {tensor.dtype for tensor in program.state_dict.values()} == {torch.float16}


def test_any_number_of_strips_gives_float32(program: torch.export.ExportedProgram) -> None:
    module = program.module()
    for count in (1, 3):
        with torch.inference_mode():
            answer = module(torch.zeros((count, 1, 64, 128), dtype=torch.uint8))
        assert answer.shape == (count, 4, 16, 32)
        assert answer.dtype == torch.float32


def test_nothing_tells_where_it_was_made(program: torch.export.ExportedProgram) -> None:
    assert program.example_inputs is None
    assert not any("stack_trace" in node.meta for node in program.graph.nodes)
