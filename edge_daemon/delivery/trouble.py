"""Why there is no connection to the broker, in words for the operator, and sockets that tell it.

What TLS complains of comes late and goes astray: since version 1.3 a broker refuses a client's
certificate only after the client holds the handshake for done, and paho then says no more than
"unspecified error".
"""

import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final

_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_OTHER_HOST: Final = frozenset({62, 64})
_NO_TLS: Final = "what answers seems to speak no TLS; is it another port, or mqtt://?"
_NO_COMPLAINT: Final = (
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
)
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "asks for a client certificate; name one with [mqtt] certificate_file",
    "HANDSHAKE_FAILURE": "broke off; it may want a client certificate ([mqtt] certificate_file)",
    "UNKNOWN_CA": "doesn't know the authority that signed our client certificate",
    "CERTIFICATE_EXPIRED": "says that our client certificate has expired; renew it",
    "CERTIFICATE_REVOKED": "says that our client certificate was revoked",
    "CERTIFICATE_UNKNOWN": "doesn't accept our client certificate",
    "BAD_CERTIFICATE": "doesn't accept our client certificate",
    "PROTOCOL_VERSION": "speaks no TLS 1.2 or newer",
}


def in_words(error: OSError | ValueError) -> str:
    """What went wrong and, for TLS, what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not accepted: {_of_certificate(error)}"
    if isinstance(error, ssl.SSLEOFError):
        return _NO_TLS
    if isinstance(error, ssl.SSLError):
        return _of_alert(error)
    return str(error) or type(error).__name__


def hung_up(*, tls: bool) -> str:
    """The broker closed the connection before it had said anything."""
    hint = "it may want a client certificate, or another one ([mqtt] certificate_file)"
    if not tls:
        hint = "a port that speaks TLS wants mqtts:// in [mqtt] url"
    return f"the broker hung up without an answer; {hint}"


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    found = error.verify_message.rstrip(".")
    if error.verify_code == _EXPIRED:
        return f"{found}; renew it on the broker, or set this computer's clock"
    if error.verify_code == _NOT_YET_VALID:
        return f"{found}; set this computer's clock"
    if error.verify_code in _OTHER_HOST:
        return f"{found}; [mqtt] url has to name the broker as its certificate does"
    return f"{found}; name the authority that signed it with [mqtt] ca_file"


def _of_alert(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    for alert, words in _ALERTS.items():
        if reason.endswith(f"ALERT_{alert}"):
            return f"the broker {words} ({reason})"
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return f"{_NO_TLS} ({reason})"
    return f"TLS failed: {reason}"


def telling_socket(tell: Callable[[ssl.SSLError], None]) -> type[ssl.SSLSocket]:
    """A kind of socket, for `SSLContext.sslsocket_class`, that tells what TLS complains of."""

    class TellingSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in ssl
            try:
                super().do_handshake(block)
            except OSError as error:
                self.close()  # paho would leave it to the garbage collector
                if isinstance(error, ConnectionError):
                    raise ssl.SSLEOFError(_NO_TLS) from error
                raise

        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            try:
                return super().recv(buflen, flags)
            except _NO_COMPLAINT:
                raise
            except ssl.SSLError as error:
                tell(error)
                raise

        def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401 - any buffer
            try:
                return super().send(data, flags)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except OSError:
                # The broker has hung up; what it said before that waits to be read.
                with contextlib.suppress(OSError):
                    self.recv(1)
                raise

    return TellingSocket
