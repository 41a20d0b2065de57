"""Compare installed packages with known vulnerabilities through pip-audit, and say what could not be compared.

    python Testing/helpers/audit_dependencies.py PIP_AUDIT SITE_PACKAGES

pip-audit counts a package as skipped when the package index does not answer, and then ends as if all were well. Exit
code: 0 compared and nothing known, 1 known vulnerabilities, 3 not compared.
"""

from __future__ import annotations

import json
import subprocess
import sys

FOUND, NOT_COMPARED = 1, 3

OWN_BUILDS = {"midlineshift", "torch"}
"""Not on the index, or not in the version that is installed (torch's processor build)."""


def run(program: str, folder: str) -> str:
    """Return pip-audit's report in JSON, empty if it made none."""
    command = [program, "--path", folder, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        print((done.stderr.strip().splitlines() or ["pip-audit ended without a word."])[-1], file=sys.stderr)
    return done.stdout


def judge(report: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines to print for one report of pip-audit."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return NOT_COMPARED, ["Nothing was compared: the service for known vulnerabilities could not be reached."]
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in packages
        for flaw in one.get("vulns", ())
    ]
    skipped = sorted(one["name"] for one in packages if "skip_reason" in one and one["name"].lower() not in OWN_BUILDS)
    compared = sum("vulns" in one for one in packages)
    if lines:
        return FOUND, [*lines, f"{compared} packages were compared, {len(skipped)} could not be."]
    if skipped or not compared:
        return NOT_COMPARED, [
            f"{compared} packages were compared and have no known vulnerability; {len(skipped)} could not be compared "
            f"({', '.join(skipped[:5])}{'...' if len(skipped) > 5 else ''}): is pypi.org reachable?"
        ]
    return 0, [f"{compared} packages were compared; none has a known vulnerability."]


if __name__ == "__main__":
    code, lines = judge(run(*sys.argv[1:3]))
    print("\n".join(lines))
    sys.exit(code)
