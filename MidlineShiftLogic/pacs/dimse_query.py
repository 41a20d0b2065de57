"""Query and fetch by C-FIND and C-MOVE, with a receiver of our own that is open during the fetch only."""

from __future__ import annotations

import ssl
from pathlib import Path

from MidlineShiftLogic.pacs.dimse import application_entity, associate, lacks_resources
from MidlineShiftLogic.pacs.exchange import FoundSeries, SeriesQuery, require_few, study_uid
from MidlineShiftLogic.pacs.move_receiver import MoveReceiver
from MidlineShiftLogic.pacs.receiver import SUCCESS
from MidlineShiftLogic.pacs.targets import Busy, DicomTarget, Rejected, Unreachable

PENDING = (0xFF00, 0xFF01)
STUDY_ROOT_FIND, STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
"""Information models of C-FIND and C-MOVE (PS3.4, C.6.2)."""
DESTINATION_UNKNOWN = 0xA801
CANNOT_SEND = 0xA702
"""Many archives answer so if they cannot connect to the destination (PS3.4, C.4.2.1.5)."""


class DimseArchive:
    """An archive behind the study root query/retrieve model.

    Args:
        own_aet, own_address: our AE title, and where C-MOVE has to send to; both must be known to the archive.
        sending: TLS for what we send, or None. receiving: TLS for what we receive, or None.
    """

    def __init__(
        self,
        target: DicomTarget,
        own_aet: str,
        own_address: tuple[str, int],
        sending: ssl.SSLContext | None = None,
        receiving: ssl.SSLContext | None = None,
    ):
        self._target, self._aet, self._address = target, own_aet, own_address
        self._sending, self._receiving = sending, receiving

    def find(self, query: SeriesQuery) -> list[FoundSeries]:
        """See ``exchange.Archive``."""
        association = self._associate(STUDY_ROOT_FIND)
        try:
            studies = self._query(
                association,
                STUDY_ROOT_FIND,
                QueryRetrieveLevel="STUDY",
                StudyInstanceUID=query.study,
                AccessionNumber=query.accession,
                PatientID=query.patient_id,
                StudyDate=query.date,
            )
            found = []
            for study in studies:
                series = self._query(
                    association,
                    STUDY_ROOT_FIND,
                    QueryRetrieveLevel="SERIES",
                    StudyInstanceUID=study_uid(study),
                    SeriesInstanceUID=query.series,
                    Modality=query.modality,
                    SeriesNumber="",
                    SeriesDescription="",
                    NumberOfSeriesRelatedInstances="",
                )
                found += [FoundSeries.of(study, one) for one in series]
        finally:
            if association.is_established:
                association.release()
        return sorted(found, key=lambda one: (one.study, one.number or 0, one.series))

    def fetch(self, found: FoundSeries, folder: Path) -> int:
        """See ``exchange.Archive``."""
        from pydicom.dataset import Dataset

        receiver = MoveReceiver(self._aet, self._address, found.series, folder, self._receiving)
        receiver.start()
        association = None
        try:
            association = self._associate(STUDY_ROOT_MOVE)
            identifier = Dataset()
            identifier.QueryRetrieveLevel = "SERIES"
            identifier.StudyInstanceUID, identifier.SeriesInstanceUID = found.study, found.series
            for status, _ in association.send_c_move(identifier, self._aet, STUDY_ROOT_MOVE):
                self._require_success(status)
        finally:
            if association is not None and association.is_established:
                association.release()
            receiver.stop()
        return len(receiver.received)

    def _associate(self, model):
        from pynetdicom import build_context

        return associate(application_entity(self._aet), self._target, [build_context(model)], self._sending)

    def _query(self, association, model, **keys) -> list:
        from pydicom.dataset import Dataset

        identifier = Dataset()
        for name, value in keys.items():
            setattr(identifier, name, value)
        answers = []
        for status, answer in association.send_c_find(identifier, model):
            if "Status" not in status:
                raise self._connection_lost()
            if status.Status in PENDING:
                if answer is not None:
                    answers.append(answer)
                    require_few(answers)
            elif lacks_resources(status):
                raise self._busy(status)
            elif status.Status != SUCCESS:
                raise Rejected(f"{self._target} refuses the query (status 0x{status.Status:04X}).", "pacs-rejected")
        return answers

    def _connection_lost(self) -> Unreachable:
        return Unreachable(
            f"{self._target} closed the connection; check that it runs, knows {self._aet} and lets it query.",
            "pacs-unreachable",
        )

    def _busy(self, status) -> Busy:
        return Busy(
            f"{self._target} lacks the resources to answer now (status 0x{status.Status:04X}); "
            "try again in some minutes.",
            "pacs-busy",
        )

    def _require_success(self, status) -> None:
        if "Status" not in status:
            raise Busy(f"{self._target} broke off while it sent the series; try again.", "pacs-busy")
        if lacks_resources(status) and status.Status != CANNOT_SEND:
            raise self._busy(status)
        if status.Status == DESTINATION_UNKNOWN:
            raise Rejected(
                f"{self._target} does not know {self._aet} as a destination; enter this AE title there with "
                f"the address {self._address[0]}:{self._address[1]}.",
                "pacs-rejected",
            )
        if status.Status not in (SUCCESS, *PENDING):
            raise Rejected(
                f"{self._target} could not send the series to {self._aet} at {self._address[0]}:{self._address[1]} "
                f"(status 0x{status.Status:04X}); check that address there, and the space on this machine's disk.",
                "pacs-rejected",
            )
