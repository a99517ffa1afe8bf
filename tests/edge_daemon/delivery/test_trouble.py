import socket
import ssl

import pytest

from edge_daemon.delivery.trouble import hung_up, in_words


def test_what_has_nothing_to_do_with_tls_stays_as_it_is() -> None:
    assert in_words(ConnectionRefusedError(111, "Connection refused")).endswith("refused")
    assert in_words(socket.gaierror(-2, "Name or service not known")).endswith("not known")
    assert in_words(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (10, "renew it on the broker"),
        (9, "set this computer's clock"),
        (62, "[mqtt] url has to name the broker"),
        (64, "[mqtt] url has to name the broker"),
        (19, "[mqtt] ca_file"),
        (20, "[mqtt] ca_file"),
    ],
)
def test_each_complaint_about_a_certificate_has_its_remedy(code: int, remedy: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "what OpenSSL found."
    assert in_words(error).startswith("the broker's certificate is not accepted: what OpenSSL")
    assert remedy in in_words(error)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "asks for a client certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "our client certificate has expired"),
        ("TLSV1_ALERT_UNKNOWN_CA", "doesn't know the authority"),
        ("WRONG_VERSION_NUMBER", "speak no TLS"),
        ("SOMETHING_NEW", "TLS failed: SOMETHING_NEW"),
    ],
)
def test_each_alert_has_its_words(reason: str, words: str) -> None:
    error = ssl.SSLError(1, "[SSL] x")
    error.reason = reason
    assert words in in_words(error)


def test_a_broker_that_hangs_up_gets_the_hint_that_fits() -> None:
    assert "client certificate" in hung_up(tls=True)
    assert "mqtts://" in hung_up(tls=False)
