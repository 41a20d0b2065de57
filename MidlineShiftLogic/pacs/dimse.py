"""What both ends of the DICOM protocol share: pynetdicom set up so that it says nothing about patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MidlineShiftLogic.pacs.errors import Rejected, Unreachable

if TYPE_CHECKING:
    import ssl

    from pynetdicom import AE
    from pynetdicom.association import Association

    from MidlineShiftLogic.pacs.target import DicomTarget

CONNECT_SECONDS, ANSWER_SECONDS, IDLE_SECONDS = 15.0, 60.0, 60.0
"""Waits for a connection and an association, for the answer to one message, for anything at all on an open connection."""


def application_entity(own_aet: str) -> AE:
    """An application entity of ours with bounded waits."""
    from pynetdicom import AE, _config

    # pynetdicom's own event log prints identifiers of queries and objects.
    _config.LOG_HANDLER_LEVEL = "none"
    # A file is sent as its bytes are, however odd, instead of being decoded and written anew.
    _config.STORE_SEND_CHUNKED_DATASET = True
    entity = AE(ae_title=own_aet)
    entity.acse_timeout = entity.connection_timeout = CONNECT_SECONDS
    entity.dimse_timeout = ANSWER_SECONDS
    entity.network_timeout = IDLE_SECONDS
    return entity


def associate(
    entity: AE, target: DicomTarget, contexts: list, tls: ssl.SSLContext | None, evt_handlers=()
) -> Association:
    """An open association.

    Raises:
        Unreachable: nobody answers. Rejected: the other side does not accept us, or none of what we want to do.
    """
    association = entity.associate(
        target.host,
        target.port,
        contexts=contexts,
        ae_title=target.aet,
        tls_args=(tls, target.host) if tls else None,
        evt_handlers=list(evt_handlers),
    )
    if association.is_established:
        return association
    if association.is_rejected:
        raise Rejected(
            f"{target} does not accept an association from {entity.ae_title}; enter this AE title there, "
            f"and check that {target.aet} is its own.",
            "pacs-rejected",
        )
    if association.rejected_contexts and not association.accepted_contexts:
        raise Rejected(f"{target} supports none of the objects or transfer syntaxes offered.", "pacs-rejected")
    raise Unreachable(f"{target} does not answer; check the address, and that the PACS runs.", "pacs-unreachable")
