"""DICOM over TLS (PS3.15, BCP 195): contexts of the standard library's ssl for both ends."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic.errors import InputError


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: our certificate and key, and the authority whose certificates the other side must show."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def __bool__(self) -> bool:
        return any((self.certificate, self.key, self.authority))


def server_context(files: TlsFiles) -> ssl.SSLContext | None:
    """For receiving; with an authority, senders must show a certificate of it. None without files.

    Raises:
        InputError: no certificate and key, or files that cannot be used.
    """
    if not files:
        return None
    if not (files.certificate and files.key):
        raise InputError("To receive over TLS give both --tls-cert and --tls-key.", "tls")
    context = _loaded(ssl.Purpose.CLIENT_AUTH, files)
    if files.authority:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext | None:
    """For sending; the other side's certificate must be valid for its host. None without files.

    Raises:
        InputError: files that cannot be used.
    """
    return _loaded(ssl.Purpose.SERVER_AUTH, files) if files else None


def _loaded(purpose: ssl.Purpose, files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=files.authority)
        if files.certificate:
            context.load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InputError(f"The TLS files cannot be used ({error}); give PEM files.", "tls") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
