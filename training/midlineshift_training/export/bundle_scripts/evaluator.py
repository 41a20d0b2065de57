"""Measurement of all scans of a data set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from MidlineShiftLogic.reporting.formatting import shift_text

logger = logging.getLogger(__name__)


class MidlineShiftEvaluator:
    """Measure each item of a data set and hand the result to the post-processing.

    Args:
        dataset: items with ``image`` (``HeadCT``) and ``case``. inferer: ``MidlineShiftInferer``.
        postprocessing: transforms of ``image``, ``case`` and ``result``.
    """

    def __init__(
        self, dataset: Iterable[dict[str, Any]], inferer: Callable[..., Any], postprocessing: Callable[..., Any]
    ):
        self.dataset, self.inferer, self.postprocessing = dataset, inferer, postprocessing

    def run(self) -> list[dict[str, Any]]:
        """Measure all items; return them with their results."""
        items = []
        for item in self.dataset:
            item["result"] = self.inferer(item["image"], item["case"])
            found = item["result"].measurement
            text = f"refused, {found.refused['message']}" if found.refused else shift_text(found.signed_shift_mm)
            logger.info("%s: %s", item["case"], text)
            items.append(self.postprocessing(item))
        return items
