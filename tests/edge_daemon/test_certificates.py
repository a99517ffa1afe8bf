import ssl
from pathlib import Path

import pytest

from edge_daemon.certificates import client_context, server_context
from edge_daemon.errors import ConfigurationError
from tests.authority import Authority, Pair, needs_openssl, openssl

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "plant")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("daemon")


def test_nothing_older_than_tls_1_2_is_spoken_on_either_side(pair: Pair) -> None:
    server = server_context(pair.certificate, pair.key, section="http")
    client = client_context(None, None, None, section="mqtt")
    assert server.minimum_version == client.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_client_checks_the_certificate_and_the_host(authority: Authority) -> None:
    context = client_context(authority.certificate, None, None, section="mqtt")
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_key_of_somebody_else_is_named(authority: Authority, pair: Pair) -> None:
    other = authority.issue("other")
    with pytest.raises(
        ConfigurationError, match=r"\[http\] key_file = .*other.key.*doesn't belong"
    ):
        server_context(pair.certificate, other.key, section="http")


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_the_file_that_is_not_there_is_named_by_its_key(
    tmp_path: Path, pair: Pair, missing: str
) -> None:
    none = tmp_path / "none"
    files = {"certificate": pair.certificate, "key": pair.key} | {missing: none}
    with pytest.raises(ConfigurationError, match=rf"\[http\] {missing}_file = .*can't be read"):
        server_context(files["certificate"], files["key"], section="http")


def test_what_is_no_certificate_and_what_is_no_key_is_told_apart(
    tmp_path: Path, pair: Pair
) -> None:
    junk = tmp_path / "junk"
    junk.write_text("junk\n")
    with pytest.raises(ConfigurationError, match=r"\[http\] certificate_file = .*no certificate"):
        server_context(junk, pair.key, section="http")
    with pytest.raises(ConfigurationError, match=r"\[http\] key_file = .*no key"):
        server_context(pair.certificate, junk, section="http")
    with pytest.raises(ConfigurationError, match=r"\[mqtt\] ca_file = .*no certificate"):
        client_context(junk, None, None, section="mqtt")
    with pytest.raises(ConfigurationError, match=r"\[mqtt\] ca_file = .*can't be read"):
        client_context(tmp_path / "none", None, None, section="mqtt")


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path, pair: Pair) -> None:
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:open", "-out", locked)
    with pytest.raises(ConfigurationError, match=r"\[mqtt\] key_file = .*is encrypted"):
        client_context(None, pair.certificate, locked, section="mqtt")
