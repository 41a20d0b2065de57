"""Load a head CT from any usual file and check whether it may be measured.

``read`` -> ``HeadCT`` -> ``check``; ``find_series`` lists what a DICOM folder holds. The libraries for the formats are
imported when a file of that format is loaded, so importing this package is quick.
"""

from MidlineShiftLogic.headct.checks import check
from MidlineShiftLogic.headct.dicom_folder import find_series
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.load import read
from MidlineShiftLogic.headct.series import SeriesInfo

__all__ = ["HeadCT", "SeriesInfo", "check", "find_series", "read"]
