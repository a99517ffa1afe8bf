import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edge_daemon.config import load_config

REPOSITORY = Path(__file__).parents[2]
NAMES = ["Dockerfile", "Dockerfile.jetson"]
DRAIN_S = 27


def instructions(name: str) -> list[tuple[str, str]]:
    """Instruction and arguments, in order, continued lines put together."""
    text = (REPOSITORY / "docker" / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(head, rest.strip()) for head, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.parametrize("name", NAMES)
def test_the_daemon_accepts_the_configuration_of_the_image(tmp_path: Path, name: str) -> None:
    """Without a file: an image that needs one would not start as its first lines say."""
    pairs = [rest.split() for head, rest in instructions(name) if head == "ENV"]
    environ = dict(pair.split("=", 1) for words in pairs for pair in words)
    (tmp_path / "config.toml").touch()
    config = load_config(tmp_path / "config.toml", environ)
    assert config.ingest.bind == "tcp://*:5555"
    assert config.http.bind.endswith(":9108")
    assert config.state.directory == Path("/var/lib/edge-daemon")


@pytest.mark.parametrize("name", NAMES)
def test_the_daemon_is_nobody_special(name: str) -> None:
    order = [(head, rest) for head, rest in instructions(name) if head in {"USER", "ENTRYPOINT"}]
    assert order == [("USER", "edge-daemon"), ("ENTRYPOINT", '["edge-daemon"]')]


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_copied_is_let_through_to_the_build(name: str) -> None:
    ignore = (REPOSITORY / "docker" / f"{name}.dockerignore").read_text().splitlines()
    passed = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    for head, rest in instructions(name):
        if head == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                assert (REPOSITORY / source).exists()
                assert any(fnmatch(source, pattern) for pattern in passed), source


def test_what_the_health_check_runs_is_there() -> None:
    for name in NAMES:
        check = next(rest for head, rest in instructions(name) if head == "HEALTHCHECK")
        module = re.search(r'"-m", "([a-z_.]+)"', check)
        assert module
        assert (REPOSITORY / f"{module[1].replace('.', '/')}.py").exists()


def test_the_container_gets_time_to_drain_before_it_is_killed() -> None:
    text = (REPOSITORY / "docker" / "Dockerfile").read_text()
    stop_s = re.search(r"--stop-timeout=(\d+)", text)
    assert stop_s
    assert int(stop_s[1]) > DRAIN_S
