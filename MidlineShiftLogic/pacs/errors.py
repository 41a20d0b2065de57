"""What can go wrong between two machines: nobody answers, or somebody answers no."""

from __future__ import annotations

from MidlineShiftLogic.errors import InputError


class PacsError(InputError):
    """Base of what a PACS, or the way to it, does to us; the message is one sentence without identifiers of a patient."""


class Unreachable(PacsError):
    """Nobody answers, or the connection broke: the same may well succeed later."""


class Rejected(PacsError):
    """The other side answered and does not want it: trying again helps only after somebody changed something."""
