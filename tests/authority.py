"""A certificate authority for tests, by the openssl command."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
LOOPBACK = "IP:127.0.0.1"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


def openssl(*arguments: str | Path) -> None:
    assert OPENSSL
    subprocess.run([OPENSSL, *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Vouches for others; `certificate` is what they are to trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        subject = ["-subj", f"/CN=authority of {folder.name}", "-days", "2"]
        openssl("req", "-x509", *_NEW_KEY, *subject, "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, *, host: str = LOOPBACK, days: int = 2) -> Pair:
        """Certify a new key; with fewer than 0 `days` the certificate has expired."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, names = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        names.write_text(f"subjectAltName={host}\n")
        openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        signed: list[str | Path] = ["-CA", self.certificate, "-CAkey", self._key, "-extfile", names]
        openssl(
            "x509", "-req", "-in", request, *signed, "-days", str(days), "-out", pair.certificate
        )
        return pair
