"""Where objects are sent to or fetched from: ``AET@HOST:PORT`` (DICOM) or ``http(s)://...`` (DICOMweb)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from MidlineShiftLogic.errors import InputError


@dataclass(frozen=True)
class DicomTarget:
    """An application entity of the DICOM protocol."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


@dataclass(frozen=True)
class WebTarget:
    """The root of a DICOMweb service, such as ``https://pacs.example/dicom-web``."""

    url: str

    def __str__(self) -> str:
        return self.url


Target = DicomTarget | WebTarget


def parse_target(text: str) -> Target:
    """Parse the target that a user typed.

    Raises:
        InputError: neither form.
    """
    if text.lower().startswith(("http://", "https://")):
        return WebTarget(_checked_url(text))
    aet, at, place = text.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not (at and colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(
            f"{text!r} is not a PACS: give AET@HOST:PORT, or the http(s) address of its DICOMweb root.", "target"
        )
    return DicomTarget(parse_aet(aet), host.strip("[]"), int(port))


def parse_aet(text: str) -> str:
    """Parse an application entity title: 1 to 16 printable ASCII characters, no backslash (PS3.5, VR AE).

    Raises:
        InputError: not an AE title.
    """
    title = text.strip()
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", title):
        raise InputError(f"{text!r} is not an AE title: 1 to 16 ASCII characters, no backslash.", "target")
    return title


def _checked_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{text!r} is not the address of a DICOMweb service; give its root.", "target")
    if parts.username or parts.password:
        raise InputError(
            "The address holds a name or a password, which other users of this machine can see; "
            "put them into ~/.netrc (docs/how-to/pacs.md).",
            "target",
        )
    return text.rstrip("/")


class PacsError(InputError):
    """Base of the errors of communicating with a PACS; the message holds no identifiers of a patient."""


class Unreachable(PacsError):
    """No answer, or the connection broke: the same request may succeed later."""


class Busy(Unreachable):
    """The other side answered that it cannot serve now, or broke off: the same request soon may succeed."""


class Rejected(PacsError):
    """The other side answered and refused: a retry helps only after somebody changed its settings."""
