"""Whether the daemon on this computer is alive, for a container's health check.

    python -m edge_daemon.telemetry.probe 127.0.0.1:9108

It needs no token, and no authority to trust: over loopback nobody else answers, and nothing secret
is asked.
"""

import http.client
import ssl
import sys
from http import HTTPStatus

_PATIENCE_S = 4.0


def is_live(address: str) -> bool:
    """Ask `/livez` at `host:port`, with TLS where that is spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for connection in (
        http.client.HTTPConnection(address, timeout=_PATIENCE_S / 2),
        http.client.HTTPSConnection(address, timeout=_PATIENCE_S / 2, context=context),
    ):
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            continue  # not in this language
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(0 if is_live(sys.argv[1]) else 1)
