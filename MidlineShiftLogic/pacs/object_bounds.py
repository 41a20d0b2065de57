"""Bound the objects and commands of an association while they arrive; pynetdicom holds each in memory until it is whole."""

from __future__ import annotations

COMMAND_BYTES = 65_536
"""A command has about 200 bytes (PS3.7)."""
MARGIN_BYTES = 1_000_000
"""Commands and headers of the protocol beside one object."""


def exceeds_bounds(association, pdu, object_bytes: int) -> bool:
    """Count a message that arrived, and return whether its object or command is larger than allowed.

    Args:
        association: pynetdicom's; the counts are kept on it. pdu: what arrived. object_bytes: limit of one object.
    """
    received = getattr(association, "midlineshift_bytes", 0) + len(pdu)
    association.midlineshift_bytes = received
    command = getattr(association, "midlineshift_command", 0)
    for item in getattr(pdu, "presentation_data_value_items", ()):
        data = item.presentation_data_value or b"\0"
        # PS3.8, E.2: bit 0 of the first byte marks a command, bit 1 its last part.
        command = 0 if not data[0] & 1 or data[0] & 2 else command + len(data)
        if data[0] & 1 and len(data) > COMMAND_BYTES:
            command = len(data)
    association.midlineshift_command = command
    return command > COMMAND_BYTES or received > object_bytes + MARGIN_BYTES


def object_ended(association) -> None:
    """Begin to count the next object."""
    association.midlineshift_bytes = 0
