"""Derive UIDs from the content of an object (docs/adr/0020): the same result of the same scan is the same object."""

from __future__ import annotations

import hashlib
import json
import uuid

from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.measurement_json import to_dict

NAMESPACE = uuid.UUID("6f0f5f4e-3f0c-5d8e-9a36-1c6f2f3b7a10")


def uid(*parts: str) -> str:
    """Return a UID under 2.25 (ISO/IEC 9834-8, from a name-based UUID): equal parts, equal UID."""
    return f"2.25.{uuid.uuid5(NAMESPACE, json.dumps(parts)).int}"


def result_key(measurement: Measurement) -> str:
    """Return a digest of the measurement, edits and review included, without wall time and local name.

    Neither is a property of the result.
    """
    said = to_dict(measurement)
    del said["seconds"], said["case"]["id"]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
