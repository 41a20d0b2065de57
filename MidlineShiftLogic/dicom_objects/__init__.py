"""Keep the old name of ``MidlineShiftLogic.reporting.dicom`` importable. Deprecated; use the new name."""

from __future__ import annotations

import warnings

from MidlineShiftLogic.reporting import dicom

__all__ = [*dicom.__all__]

warnings.warn(
    "MidlineShiftLogic.dicom_objects was renamed to MidlineShiftLogic.reporting.dicom; the old name will be removed.",
    DeprecationWarning,
    stacklevel=2,
)


def __getattr__(name: str):
    return getattr(dicom, name)
