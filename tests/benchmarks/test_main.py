import json

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app


def test_a_size_that_is_none_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["transport", "--size", "large"])

    assert result.exit_code == 2
    assert "256x1600" in result.output


def test_json_is_all_that_is_printed() -> None:
    pytest.importorskip("supervision", reason="supervision isn't installed (extra `bench`)")

    result = CliRunner().invoke(
        app,
        [
            "tiling",
            "--height",
            "300",
            "--width",
            "1700",
            "--rounds",
            "2",
            "--places",
            "1",
            "--json",
        ],
    )

    assert result.exit_code == 0
    fields = json.loads(result.output)
    assert fields["name"] == "tiling"
    assert fields["machine"]["cpu"]
