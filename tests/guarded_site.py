"""A plant whose broker speaks TLS only, and wants a client certificate and a password."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_daemon.delivery.broker import Broker
from tests.authority import OPENSSL, Authority
from tests.conftest import Mosquitto

PASSWD = shutil.which("mosquitto_passwd")
PASSWORD = "ein-langes-Geheimnis"  # noqa: S105 - guards nothing
needs_guarded_broker = pytest.mark.skipif(
    PASSWD is None or OPENSSL is None, reason="openssl or mosquitto_passwd is not installed"
)


@dataclass(frozen=True)
class Site:
    """The plant's authority, somebody else's, and our files."""

    folder: Path
    plant: Authority
    stranger: Authority

    @classmethod
    def in_folder(cls, folder: Path) -> "Site":
        """Make all certificates that tests ask for, good ones and bad ones."""
        folder.mkdir(exist_ok=True)
        site = cls(folder, Authority(folder / "plant"), Authority(folder / "stranger"))
        site.plant.issue("broker")
        site.plant.issue("old-broker", days=-1)
        site.plant.issue("client")
        site.plant.issue("old-client", days=-1)
        site.stranger.issue("client")
        site.password_file.write_text(PASSWORD + "\n")
        return site

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def client(self) -> Path:
        """Our certificate; its key lies beside it."""
        return self.folder / "plant" / "client.pem"

    def start(self, start: Callable[..., Mosquitto], server: str = "broker") -> Mosquitto:
        """Start a broker that shows a certificate and wants one, and a password."""
        assert PASSWD
        users, shown = self.folder / "users", self.folder / "plant" / server
        command = [PASSWD, "-b", "-c", str(users), "line", PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        return start(
            f"certfile {shown}.pem",
            f"keyfile {shown}.key",
            f"cafile {self.plant.certificate}",
            "require_certificate true",
            "allow_anonymous false",
            f"password_file {users}",
        )

    def broker(self, port: int, *, host: str = "127.0.0.1") -> Broker:
        """Every setting as it should be."""
        return Broker.from_url(
            f"mqtts://line@{host}:{port}",
            "edge/test",
            password_file=self.password_file,
            ca_file=self.plant.certificate,
            cert_file=self.client,
            key_file=self.client.with_suffix(".key"),
        )
