"""The measurement as a Python call: a scan in, a ``Measurement`` out. The command and the panel use it, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.progress import Cancelled, Progress, silent
from MidlineShiftLogic.quality import Quality

if TYPE_CHECKING:
    from MidlineShiftLogic.inference.pipeline import DenseResult
    from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
    from MidlineShiftLogic.models import Model


@dataclass(frozen=True)
class CaseResult:
    """A measurement and what its pictures need; ``ct`` and ``dense`` are None where work did not get that far.

    Attributes:
        measurement: the result. ct: the scan. dense: displacement and warped scan on the scan's grid.
    """

    measurement: Measurement
    ct: HeadCT | None = None
    dense: DenseResult | None = None

    @property
    def evidence(self) -> DenseResult | None:
        """Return ``dense`` under its name of versions before 1.0."""
        return self.dense


def measure(
    source: str | PathLike | HeadCT,
    model: str | PathLike | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    *,
    spacing: tuple[float, float, float] | None = None,
    authors_readout: bool = False,
    cancelled: Cancelled | None = None,
) -> Measurement:
    """Measure the midline shift of one head CT.

    Args:
        source: NIfTI, NRRD, MHA or ``.npy`` file, a DICOM folder, or a ``HeadCT`` already read.
        model: name of a shipped model or a model folder; None takes the default model.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        progress: called with ``(done, total, what)`` while it works.
        spacing: mm between (slices, rows, columns); needed for ``.npy``, which carries no geometry.
        authors_readout: also report the largest displacement, the number of Gong et al. 2023, for comparison.
        cancelled: asked between slices; True stops.

    Returns:
        The measurement. For a scan that must not be measured, ``refused`` says why and there is no number.

    Raises:
        InputError: no such file, not a scan, unusable model or device.
        Cancelled: ``cancelled`` returned True.
    """
    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.models import load_model

    def opened_model() -> tuple[Any, str]:
        resolved = resolve_device(device)
        return load_model(model, resolved), resolved

    return measure_case(
        source, opened_model, progress, spacing=spacing, authors_readout=authors_readout, cancelled=cancelled
    ).measurement


def measure_case(
    source: str | PathLike | HeadCT,
    open_model: Callable[[], tuple[Any, str]],
    progress: Progress | None = None,
    *,
    spacing: tuple[float, float, float] | None = None,
    authors_readout: bool = False,
    cancelled: Cancelled | None = None,
    case_id: str = "",
) -> CaseResult:
    """Measure like ``measure``, for callers that also want the dense results, or have one loaded model for many cases.

    Args:
        open_model: gives (model, device name); called only once the scan is read and found measurable, so that a
            wrong path is reported at once. The other arguments are those of ``measure``.
        case_id: name of the case in the result; from the file name if empty.

    Returns:
        The case's result; refused cases have no dense results.
    """
    progress = progress or silent
    started = time.perf_counter()
    ct: HeadCT | None = None
    opened: tuple[Any, str] | None = None
    case_id = case_id or default_case_id(source)
    try:
        ct = _read(source, spacing, progress)
        ct = _checked(ct)
        _refuse_fatal(ct.quality)
        opened = open_model()
        from MidlineShiftLogic.inference.pipeline import measure_ct

        measurement, dense = measure_ct(ct, *opened, progress, authors_readout, cancelled, case_id)
    except RefusedError as error:
        measurement, dense = _refused(error, ct), None
        if opened is not None:
            model, device = opened
            measurement = replace(measurement, model=model.provenance, device=device)
    measurement = replace(measurement, case_id=case_id, seconds=time.perf_counter() - started)
    return CaseResult(_with_provenance(measurement, ct), ct, dense)


def pseudo_healthy_case(
    source: str | PathLike | HeadCT,
    model: Model,
    device: str,
    progress: Progress | None = None,
    *,
    slices: Sequence[int] | None = None,
    spacing: tuple[float, float, float] | None = None,
    cancelled: Cancelled | None = None,
) -> tuple[HeadCT, PseudoHealthy]:
    """Make the image of the head without the shift, by a model with denoisers (``inference.pseudo_healthy``).

    Args:
        model: loaded model. device: torch device name.
        slices: of the scan as measured, 0 lowest; None for those at the heights where the model measures.
        progress: as in ``measure``.
        spacing: as in ``measure``.
        cancelled: as in ``measure``.

    Raises:
        InputError: no such file or slice, not a scan, or a model without denoisers. RefusedError: a scan that must not
            be measured. Cancelled: ``cancelled`` returned True.
    """
    from MidlineShiftLogic.inference.pseudo_healthy import make_pseudo_healthy

    ct = _checked(_read(source, spacing, progress or silent))
    _refuse_fatal(ct.quality)
    return ct, make_pseudo_healthy(ct, model, device, slices, progress, cancelled)


def default_case_id(source: str | PathLike | HeadCT) -> str:
    """Return the case's name: the file's or folder's name without its endings; ``"case"`` for a scan that is not a file."""
    if isinstance(source, HeadCT):
        return "case"
    from MidlineShiftLogic.reporting.case_name import case_name

    return case_name(source)


def _read(source: str | PathLike | HeadCT, spacing: Any, progress: Progress) -> HeadCT:
    if isinstance(source, HeadCT):
        return source
    from MidlineShiftLogic.headct import read

    return read(source, spacing, progress)


def _checked(ct: HeadCT) -> HeadCT:
    """Add the flags of the checks to those of loading the scan."""
    from MidlineShiftLogic.headct import check

    return replace(ct, quality=tuple(dict.fromkeys((*ct.quality, *check(ct)))))


def _refuse_fatal(flags: tuple[Quality, ...]) -> None:
    for flag in flags:
        if flag.severity == "fatal":
            raise RefusedError(flag.message, flag.code)


def _refused(error: RefusedError, ct: HeadCT | None) -> Measurement:
    return Measurement(
        case_id="",
        signed_shift_mm=None,
        slice=None,
        quality=() if ct is None else ct.quality,
        refused={"code": error.code, "message": str(error)},
    )


def _with_provenance(measurement: Measurement, ct: HeadCT | None) -> Measurement:
    """Fill what the measuring itself does not know: the software, and the input where it was not described."""
    from MidlineShiftLogic.software import software

    described = measurement.input or ({} if ct is None else describe_input(ct))
    return replace(measurement, software=measurement.software or software(), input=described)


def describe_input(ct: HeadCT) -> dict:
    """Describe the scan that was measured, JSON-ready: shape, spacing, and what loading it noted of its source."""
    heights = ct.heights
    gap = float(abs(heights[-1] - heights[0])) / (len(heights) - 1) if len(heights) > 1 else float(ct.thickness[0])
    return {
        "shape": list(ct.hu.shape),
        "spacing_mm": [round(gap, 4), *(round(float(step), 4) for step in ct.pixel_spacing)],
        **ct.source,
    }
