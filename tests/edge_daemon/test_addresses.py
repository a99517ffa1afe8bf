import pytest

from edge_daemon.addresses import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_what_only_this_computer_reaches(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "10.0.0.1", "*", "broker", ""])  # noqa: S104 - not bound
def test_what_others_may_reach(host: str) -> None:
    assert not is_loopback(host)
