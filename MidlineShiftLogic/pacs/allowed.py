"""Who may send: AE titles, each with the address it must come from if one is given."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.target import parse_aet


@dataclass(frozen=True)
class Allowed:
    """A sender: its AE title, and the address it must come from (None: any)."""

    aet: str
    host: str | None = None


def parse_allowed(text: str) -> Allowed:
    """``AET`` or ``AET@ADDRESS``.

    Raises:
        InputError: it is neither.
    """
    aet, at, host = text.partition("@")
    if at:
        try:
            host = str(ipaddress.ip_address(host.strip("[]")))
        except ValueError as error:
            raise InputError(f"{text!r}: after the @ give the numerical address of the sender.", "target") from error
    return Allowed(parse_aet(aet), host if at else None)


def permitted(allowed: Iterable[Allowed], aet: str, host: str) -> bool:
    """Whether a sender of this AE title at this address is on the list."""
    return any(one.aet == aet and one.host in (None, host) for one in allowed)
