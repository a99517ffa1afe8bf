"""Which broker, and as whom."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from edge_daemon.addresses import is_loopback
from edge_daemon.errors import ConfigurationError
from edge_daemon.settings import PASSWORD_IN_URL, MqttSection

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ROOT = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker to connect to; made by `Broker.from_url`.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: whether the connection is encrypted; certificate and host name are then checked.
        root: first levels of every topic.
        role: who connects; the daemon and a replay beside it must not take each other's place.
        username: None where the broker knows clients by certificate, or not at all.
        password_file: file that holds the password; read again at each connection, so that a
            changed one needs no restart.
        ca_file: certificates to trust, PEM; None means those of the system.
        cert_file: our own certificate, PEM.
        key_file: the key that belongs to it.
    """

    host: str
    port: int
    tls: bool
    root: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    role: str = "daemon"

    @property
    def client_id(self) -> str:
        """The same at each start, so that the broker drops a half-open connection of before.

        The root as it is: no two roots may give one id, or their stations throw each other out.
        """
        role = "" if self.role == "daemon" else f"{self.role}-"
        return f"edge-daemon-{role}{self.root}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, but should not stay so."""
        if self.password_file is None or self.tls or is_loopback(self.host):
            return ()
        warning = f"the password for {self.host} goes over the network in clear; use mqtts://"
        return (f"[mqtt] url: {warning}",)

    @classmethod
    def from_config(cls, section: MqttSection) -> Self | None:
        """The broker that a configuration names, None where it names none.

        Raises:
            ConfigurationError: its settings don't go together.
        """
        if section.url is None:
            return None
        return cls.from_url(
            section.url,
            section.root,
            password_file=section.password_file,
            ca_file=section.ca_file,
            cert_file=section.certificate_file,
            key_file=section.key_file,
        )

    @classmethod
    def from_url(
        cls,
        url: str,
        root: str,
        *,
        password_file: Path | None = None,
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
    ) -> Self:
        """Read `mqtt://[user@]host[:port]` or `mqtts://...`.

        Raises:
            ConfigurationError: the URL, the root or the combination of files makes no sense.
        """
        host, port, scheme, username = _split(url)
        if not _ROOT.fullmatch(root):
            raise ConfigurationError(
                f"MQTT root {root!r}: levels of A-Z a-z 0-9 _ - with / between, as in edge/line-1"
            )
        if password_file is not None and username is None:
            raise ConfigurationError(f"{url}: a password needs a user: {scheme}://USER@{host}")
        if (cert_file is None) != (key_file is None):
            raise ConfigurationError(f"{url}: a client certificate and its key come together")
        if scheme == "mqtt" and (ca_file is not None or cert_file is not None):
            raise ConfigurationError(f"{url}: certificates are only used with mqtts://")
        return cls(
            host=host,
            port=port,
            tls=scheme == "mqtts",
            root=root,
            username=username,
            password_file=password_file,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
        )

    def password(self) -> str | None:
        """Read the password, less the line's end.

        Raises:
            ConfigurationError: the file can't be read, or is no line of text.
        """
        if self.password_file is None:
            return None
        setting = f'[mqtt] password_file = "{self.password_file}"'
        try:
            password = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: can't be read ({error.strerror}); as a service it comes by "
                "LoadCredential="
            ) from error
        except UnicodeDecodeError:  # the error would show a piece of it
            raise ConfigurationError(f"{setting}: has to be UTF-8 text") from None
        if not password:
            raise ConfigurationError(f"{setting}: is empty; it has to hold the password")
        return password


def _split(url: str) -> tuple[str, int, str, str | None]:
    shown = PASSWORD_IN_URL.sub(r"\1:***@", url)
    if shown != url:
        raise ConfigurationError(
            f"MQTT URL {shown!r}: no password here; put it into a file and name it as password_file"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise ConfigurationError(f"MQTT URL {url!r}: {error}") from error
    odd = parts.path not in {"", "/"} or parts.query or parts.fragment or re.search(r"\s|:/?$", url)
    if parts.scheme not in _PORTS or not host or port == 0 or odd:
        raise ConfigurationError(
            f"MQTT URL {url!r}: expected mqtt://[user@]host[:port] or mqtts://[user@]host[:port]"
        )
    username = None if parts.username is None else unquote(parts.username)
    return host, port or _PORTS[parts.scheme], parts.scheme, username
