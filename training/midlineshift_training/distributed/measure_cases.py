"""One scan of many measured into its folder of results, by whichever process gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midlineshift_training.distributed.model_cache import cached_model
from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.cli.progress_output import case_line
from MidlineShiftLogic.errors import format_error
from MidlineShiftLogic.reporting.case_folder import refuse_foreign_folder, refuse_readers_work
from MidlineShiftLogic.reporting.write_case import write_case

RESULT = "measurement.json"


@dataclass(frozen=True)
class Scan:
    """A scan and the name of its case; ``path`` is seen by every worker."""

    case: str
    path: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a scan: a line for people and the exit code it would have had alone (ADR 0003)."""

    case: str
    line: str
    code: int


def measure_into(
    out: Path, model: str | None, fingerprint: str, authors_readout: bool, fields: bool, scan: Scan
) -> Outcome:
    """Measure a scan on the CPU into ``out/case``, which appears whole or not at all. Errors are outcomes: the other
    scans go on."""
    try:
        refuse_foreign_folder(out / scan.case)
        refuse_readers_work(out / scan.case)
        result = measure_case(
            scan.path,
            lambda: (cached_model(model, fingerprint), "cpu"),
            case_id=scan.case,
            authors_readout=authors_readout,
        )
        folder = write_case(out, scan.case, result.measurement, result.ct, result.dense, fields)
    except Exception as error:
        return Outcome(scan.case, f"{scan.case}  error: {format_error(error)}", exit_codes.of(error))
    refused = bool(result.measurement.refused)
    code = exit_codes.REFUSED if refused else exit_codes.MEASURED
    return Outcome(scan.case, case_line(result.measurement, folder), code)
