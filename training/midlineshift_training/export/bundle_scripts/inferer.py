"""Measurement of one scan with all networks of the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from MidlineShiftLogic.api import CaseResult, measure_case
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.models import load_model


class MidlineShiftInferer:
    """Find the midsagittal plane, align the slices, predict the fields, and compute the shift.

    Args:
        folder: model folder of the bundle. device: to measure on.
    """

    def __init__(self, folder: str | Path, device: str | torch.device = "cpu"):
        self.device = str(device)
        self._model: Any = load_model(folder, self.device)

    def __call__(self, ct: HeadCT, case: str) -> CaseResult:
        """Measure a scan.

        Args:
            ct: the scan. case: its name in the result.

        Returns:
            The measurement and the dense fields; for a scan that must not be measured, ``measurement.refused`` says why.
        """
        return measure_case(ct, lambda: (self._model, self.device), case_id=case)
