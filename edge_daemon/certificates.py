"""Certificates and keys of our own: read, held together, turned into what TLS works with.

A key that is encrypted is refused instead of asking at a terminal that a service doesn't have.
"""

import ssl
from pathlib import Path
from typing import NoReturn

from edge_daemon.errors import ConfigurationError


def server_context(certificate_file: Path, key_file: Path, *, section: str) -> ssl.SSLContext:
    """TLS 1.2 or newer for those who connect to us.

    Args:
        certificate_file: PEM, our own first, then those between it and the authority.
        key_file: PEM, its key, not encrypted.
        section: of the configuration, for messages.

    Raises:
        ConfigurationError: a file can't be read, or the two don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, certificate_file, key_file, section=section)
    return context


def client_context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None, *, section: str
) -> ssl.SSLContext:
    """TLS 1.2 or newer towards a server whose certificate and host name are checked.

    Args:
        ca_file: PEM, the authorities to trust; None: those of the system.
        certificate_file: PEM, our own, for a server that asks who we are.
        key_file: PEM, its key, not encrypted.
        section: of the configuration, for messages.

    Raises:
        ConfigurationError: a file can't be read, or the two don't belong together.
    """
    if ca_file is not None:
        _must_be_readable(ca_file, f'[{section}] ca_file = "{ca_file}"')
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f'[{section}] ca_file = "{ca_file}": holds no certificate in PEM form'
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is not None and key_file is not None:
        _load_chain(context, certificate_file, key_file, section=section)
    return context


def _load_chain(
    context: ssl.SSLContext, certificate_file: Path, key_file: Path, *, section: str
) -> None:
    certificate = f'[{section}] certificate_file = "{certificate_file}"'
    key = f'[{section}] key_file = "{key_file}"'
    _must_be_readable(certificate_file, certificate)
    _must_be_readable(key_file, key)

    def refuse() -> NoReturn:
        raise ConfigurationError(
            f"{key}: is encrypted, and nobody is there to type its passphrase; store it without "
            "one (openssl pkey -in KEY -out PLAIN) in a file that only root may read"
        )

    try:
        context.load_cert_chain(certificate_file, key_file, password=refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            complaint = f"{key}: doesn't belong to the certificate in {certificate_file}"
        elif "BEGIN CERTIFICATE" not in certificate_file.read_text(errors="replace"):
            complaint = f"{certificate}: holds no certificate in PEM form"
        else:
            complaint = f"{key}: holds no key in PEM form that fits {certificate_file}"
        raise ConfigurationError(complaint) from error


def _must_be_readable(path: Path, setting: str) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: can't be read ({error.strerror}); as a service it comes by LoadCredential="
        ) from error
