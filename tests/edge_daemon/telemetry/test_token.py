from pathlib import Path

import pytest

from edge_daemon.errors import ConfigurationError
from edge_daemon.telemetry.token import BearerToken

SECRET = "c2l4dGVlbiBvciBtb3Jl+/=="  # noqa: S105 - guards nothing


@pytest.fixture
def token(tmp_path: Path) -> BearerToken:
    file = tmp_path / "token"
    file.write_text(SECRET + "\n")
    return BearerToken.from_file(file)


@pytest.mark.parametrize("header", [f"Bearer {SECRET}", f"bearer  {SECRET} "])
def test_the_token_of_the_file_is_admitted(token: BearerToken, header: str) -> None:
    assert token.admits(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        SECRET,
        f"Basic {SECRET}",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}=",
        f"Bearer {SECRET.lower()}",
        f"Bearer x {SECRET}",
        "Bearer \u20ac\u20ac\u20ac",
        "Bearer ÿÿÿ",
    ],
)
def test_anything_else_is_not(token: BearerToken, header: str) -> None:
    assert not token.admits(header)


def test_a_token_does_not_show_itself(token: BearerToken) -> None:
    assert SECRET[:8] not in repr(token)


@pytest.mark.parametrize("text", ["", "\n", "short", "two lines are\ntoo many of them", "ä" * 20])
def test_a_file_that_can_hold_no_token_is_named_and_not_repeated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"\[http\] token_file = .*openssl rand") as caught:
        BearerToken.from_file(file)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[http\] token_file = .*none.*can't be read"):
        BearerToken.from_file(tmp_path / "none")
