"""Define the codes of the reports: standard ones where they exist, else a private scheme.

They are listed in docs/reference/dicom-objects.md.
"""

from __future__ import annotations

from pydicom.sr.coding import Code

SCHEME = "99MIDLINESHIFT"
SCHEME_NAME = "SlicerMidlineShift"


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


# What was found and where.
MIDLINE_SHIFT = _own("MLS", "Brain midline shift")
BRAIN = Code("12738006", "SCT", "Brain")
CT_OF_HEAD = Code("303653007", "SCT", "Computed tomography of head")
PERPENDICULAR = _own("METHOD", "Perpendicular distance from line between falx attachments")

# Numbers.
DISPLACEMENT = Code("110856", "DCM", "Linear Displacement")
SIGNED_SHIFT = _own("SIGNED", "Signed midline shift, positive toward the left")
INTERVAL_LOW = _own("LOW90", "Lower end of the 90 % interval of the signed shift")
INTERVAL_HIGH = _own("HIGH90", "Upper end of the 90 % interval of the signed shift")
P_OVER_5MM = _own("POVER5", "Probability of a midline shift above 5 mm")
AUTHORS_READOUT = _own("MAXDISP", "Largest displacement in the slice or the scan")
SLICE_INDEX = _own("SLICE", "Slice, 0 is the lowest")
STACK_HEIGHT = _own("ZPOS", "Position along the slice normal")
HEAD_HEIGHT = _own("HEIGHT", "Height above the anterior commissure, estimated")
CONFIDENCE = _own("CONFIDENCE", "How likely the slice can be read")

MM = Code("mm", "UCUM", "mm")
NO_UNIT = Code("1", "UCUM", "no units")

# Sides.
LATERALITY = Code("272741003", "SCT", "Laterality")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
NO_SIDE = _own("NOSIDE", "Neither side, below 0.5 mm")
SIDES = {"left": LEFT, "right": RIGHT, "none": NO_SIDE}

# What else is said of a case or a slice.
YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")
EDITED = _own("EDITED", "Corrected by a reader")
PINNED = _own("PINNED", "Chosen by a reader to stand for the case")
RULE = _own("RULE", "How the slice of the case was chosen")
IN_CASE_WINDOW = _own("WINDOW", "May stand for the case")
RESULT = _own("RESULT", "Outcome of the measurement")
MEASURED = _own("MEASURED", "Measured")
REFUSED = _own("REFUSED", "Not measured")
REFUSAL = _own("REASON", "Why it was not measured")
QUALITY = _own("QUALITY", "Quality flag")
RESEARCH_USE = _own("RESEARCH", "Intended use")
PROVENANCE = _own("PROVENANCE", "Provenance as JSON")
DECISION = _own("DECISION", "Reader's decision")
DECISION_TIME = _own("DECIDED", "Time of the reader's decision")
DECISION_REASON = _own("REMARK", "Reader's reason or remark")
DECISIONS = {
    "accepted": _own("ACCEPTED", "Accepted"),
    "accepted with edits": _own("ACCEPTEDEDITED", "Accepted with edits"),
    "rejected": _own("REJECTED", "Rejected"),
}
PERSON_OBSERVER_NAME = Code("121008", "DCM", "Person Observer Name")

# Places.
LANDMARKS = {
    "anterior_falx": _own("FALXANT", "Anterior attachment of the falx"),
    "posterior_falx": _own("FALXPOST", "Posterior attachment of the falx"),
    "shifted": _own("SHIFTED", "Deformed midline where the distance was measured"),
    "ideal": _own("IDEAL", "Foot of the perpendicular on the ideal midline"),
}
MIDLINE = _own("MIDLINE", "Deformed midline, anterior to posterior")
DISTANCE_LINE = _own("BAR", "Distance measured, from the ideal midline")

MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
