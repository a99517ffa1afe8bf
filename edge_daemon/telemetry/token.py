"""The token that who asks for a page has to show (RFC 6750, section 2.1)."""

import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from edge_daemon.errors import ConfigurationError

_SHORTEST = 16
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A shared secret, held but never shown.

    Attributes:
        secret: what has to follow `Authorization: Bearer`.
    """

    secret: bytes = field(repr=False)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Take the one line of a file.

        Raises:
            ConfigurationError: it can't be read, or what it holds can't be a token.
        """
        setting = f'[http] token_file = "{path}"'
        try:
            secret = path.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: can't be read ({error.strerror}); as a service it comes by "
                "LoadCredential="
            ) from error
        if len(secret) < _SHORTEST or not _TOKEN.fullmatch(secret):
            raise ConfigurationError(
                f"{setting}: has to hold one line of {_SHORTEST} or more of A-Z a-z 0-9 . _ ~ + / "
                "-; openssl rand -base64 32 makes one"
            )
        return cls(secret)

    def admits(self, authorization: str) -> bool:
        """Whether a header `Authorization` shows the token; the time taken doesn't tell how near.

        Args:
            authorization: as it came, or an empty string.
        """
        scheme, _, shown = authorization.partition(" ")
        given = shown.strip().encode("latin-1", errors="replace")
        return hmac.compare_digest(given, self.secret) and scheme.lower() == "bearer"
