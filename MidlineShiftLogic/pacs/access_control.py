"""Who may send to the listener: AE titles, addresses, and certificates (DICOM over TLS)."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.targets import parse_aet


@dataclass(frozen=True)
class AllowedSender:
    """A sender that may connect: its AE title, and the address it must connect from (None: any)."""

    aet: str
    host: str | None = None


def parse_allowed_sender(text: str) -> AllowedSender:
    """Parse ``AET`` or ``AET@ADDRESS``.

    Raises:
        InputError: neither form.
    """
    aet, at, host = text.partition("@")
    if at:
        try:
            host = str(ipaddress.ip_address(host.strip("[]")))
        except ValueError as error:
            raise InputError(f"{text!r}: after the @ give the numerical address of the sender.", "target") from error
    return AllowedSender(parse_aet(aet), host if at else None)


def is_allowed(allowed: Iterable[AllowedSender], aet: str, host: str) -> bool:
    """Return whether a sender of this AE title at this address is on the list."""
    return any(one.aet == aet and one.host in (None, host) for one in allowed)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: our certificate and key, and the authority that must have signed the other side's certificate."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def __bool__(self) -> bool:
        return any((self.certificate, self.key, self.authority))


def server_context(files: TlsFiles) -> ssl.SSLContext | None:
    """Return the TLS context for receiving, or None without files; with an authority, senders must present a certificate.

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
    """Return the TLS context for sending, or None without files; the certificate must be valid for the host.

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
