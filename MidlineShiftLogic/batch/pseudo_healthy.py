"""Make the pseudo-healthy images of several scans."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.case import Millimetres
from MidlineShiftLogic.batch.output import BatchOutput
from MidlineShiftLogic.errors import error_code, format_error


@dataclass(frozen=True)
class PseudoHealthySettings:
    """Hold what is asked for all scans.

    Attributes:
        out: Folder of all results.
        model: Name of a shipped model with denoisers, or a model folder.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        slices: Slices of the scan as measured, 0 the lowest; None takes those at the heights of a measurement.
        spacing: Spacing in mm for ``.npy``.
        debug: Print tracebacks.
    """

    out: Path
    model: str
    device: str = "auto"
    slices: tuple[int, ...] | None = None
    spacing: Millimetres | None = None
    debug: bool = False


def make_pseudo_healthy_images(settings: PseudoHealthySettings, sources: Sequence[Path], output: BatchOutput) -> int:
    """Write ``pseudo_healthy.npz`` and ``pseudo_healthy.png`` of each scan into its result folder.

    Returns:
        The worst exit code of the scans; a failing scan does not stop the others.

    Raises:
        InputError: Something concerns all scans: device, model, ``--out``.
    """
    from MidlineShiftLogic.api import pseudo_healthy_case
    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.models import load_model
    from MidlineShiftLogic.models.folder import check_denoisers
    from MidlineShiftLogic.reporting.case_folder import refuse_foreign_folder, remove_stale, result_parent
    from MidlineShiftLogic.reporting.case_name import case_names
    from MidlineShiftLogic.reporting.healthy_files import write_healthy_case

    device = resolve_device(settings.device)
    model = load_model(settings.model, device)
    check_denoisers(model)
    out = result_parent(settings.out)
    remove_stale(out)

    def make_one(number: int, name: str, source: Path) -> int:
        started = time.perf_counter()
        output.start(name, number, len(sources))
        refuse_foreign_folder(out / name)
        ct, healthy = pseudo_healthy_case(
            source, model, device, output.progress, slices=settings.slices, spacing=settings.spacing
        )
        folder = write_healthy_case(out, name, ct, healthy)
        made_by = {key: healthy.model[key] for key in ("name", "version")}
        output.healthy(healthy.slices.tolist(), made_by, time.perf_counter() - started, folder)
        return exit_codes.MEASURED

    codes = []
    for number, (name, source) in enumerate(zip(case_names(sources), sources, strict=True), 1):
        try:
            codes.append(make_one(number, name, source))
        except BrokenPipeError:
            raise
        except Exception as error:
            if settings.debug:
                traceback.print_exc(file=sys.stderr)
            codes.append(exit_codes.of(error))
            output.error(name, format_error(error), error_code(error), codes[-1])
    return exit_codes.worst(codes)
