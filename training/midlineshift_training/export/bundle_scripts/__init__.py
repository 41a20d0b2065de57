"""Components of the MONAI bundle: what ``configs/inference.json`` names. Copied into each bundle as ``scripts``.

They need the package midlineshift, which measures; so the bundle gives the same millimetres as ``midlineshift measure``.
"""

from .evaluator import MidlineShiftEvaluator
from .inferer import MidlineShiftInferer
from .network import DisplacementNetwork, load_network
from .transforms import LoadHeadCTd, SaveMeasurementd, SaveVolumesd

__all__ = [
    "DisplacementNetwork",
    "LoadHeadCTd",
    "MidlineShiftEvaluator",
    "MidlineShiftInferer",
    "SaveMeasurementd",
    "SaveVolumesd",
    "load_network",
]
