"""Make the README's picture of a report: the shipped sample scan, measured by the shipped model, shown by Chromium.

Run ``python Testing/logic/reporting/html/make_report_picture.py``; it needs Chromium (Debian: apt install chromium).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[4]
TARGET = ROOT / "Resources" / "Screenshots" / "report.png"
WIDTH, HEIGHT = 1000, 1025
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("Chromium is missing; install it (Debian: apt install chromium).")
    sample = ROOT / "Resources" / "SampleScans" / "sample_shifted.nii.gz"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "MidlineShiftLogic",
            "measure",
            sample,
            "--out",
            folder,
            "--device",
            "cpu",
            "--report",
        ]
        subprocess.run(command, check=True, cwd=ROOT)
        picture = Path(folder) / "report.png"
        report = Path(folder) / "sample_shifted" / "report.html"
        subprocess.run(
            [chromium, *QUIET, f"--user-data-dir={folder}/profile", f"--screenshot={picture}",
             f"--window-size={WIDTH},{HEIGHT}", report.as_uri()],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        Image.open(picture).convert("RGB").save(TARGET, optimize=True)
    print(TARGET, TARGET.stat().st_size)


if __name__ == "__main__":
    main()
