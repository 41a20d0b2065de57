"""``midlineshift listen`` and ``pacs queue`` as typed, and the whole way once with the released model."""

import subprocess
import sys
import time
from pathlib import Path

import pydicom
import pytest
from make_scans import write_dicom
from pacs_case import PATIENCE_SECONDS, PATIENT, SECRETS, SERIES, STUDY, head_series, wait_for

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.pacs.queue import Queue
from MidlineShiftLogic.pacs.spool import Spool

SAMPLE = Path(__file__).resolve().parents[3] / "Resources" / "SampleScans" / "sample_shifted.nii.gz"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--to": "nowhere"}, "is not a PACS"),
        ({"--allow": "A" * 20}, "is not an AE title"),
        ({"--aet": "A\\B"}, "is not an AE title"),
        ({"--model": "no-such-model"}, "no-such-model"),
        ({"--spool": "/proc/nowhere"}, "cannot be written"),
        ({"--host": "203.0.113.1"}, "Cannot listen on"),
        ({"--log": "/proc/nowhere"}, "cannot be written"),
        ({"--tls-ca": "/nowhere"}, "TLS"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, changes, sentence):
    options = {"--spool": tmp_path / "spool", "--to": "A@127.0.0.1:1", "--allow": "A", "--port": 0, **changes}
    words = [str(word) for pair in options.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "MidlineShiftLogic", "listen", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert sentence in done.stderr.splitlines()[-1]


def test_queue_shows_retries_and_drops(midlineshift, tmp_path):
    spool = Spool(tmp_path / "spool")
    queue = Queue(spool.database)
    for number in (1, 2):
        job = queue.begin_image(f"{SERIES}.{number}", time.time())
        spool.put_image(job.id, "x.dcm", b"x")
        queue.fail(job, "measuring took too long and was ended", time.time())
    queue.close()
    done = midlineshift("pacs", "queue", spool.root)
    assert done.out.splitlines()[-1] == "2 jobs" and SERIES not in done.out
    assert "job 1  failed  1 image  " in done.out and "took too long" in done.out
    assert SERIES + ".2" in midlineshift("pacs", "queue", spool.root, "--uids").out
    assert "job 1  waiting" in midlineshift("pacs", "queue", spool.root, "--retry", 1).out
    assert midlineshift("pacs", "queue", spool.root, "--retry", 1).code == 2
    hold = spool.claim()
    assert "in use by another listener" in midlineshift("pacs", "queue", spool.root, "--drop", 2).sentence
    hold.close()
    assert "1 job" in midlineshift("pacs", "queue", spool.root, "--drop", 2).out
    assert not spool.images(2).exists() and spool.images(1).exists()


def test_two_listeners_on_one_spool(listener, listener_port):
    listener.start()
    second = subprocess.run(
        [sys.executable, "-m", "MidlineShiftLogic", "listen", "--spool", listener.spool, "--to", "A@127.0.0.1:1",
         "--allow", "A", "--port", "0"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert second.returncode == 2 and "in use by another listener" in second.stderr


@pytest.mark.slow
def test_the_whole_way_with_the_released_model(tmp_path, orthanc, listener_port, midlineshift):
    """PACS -> listener -> structured report and captures -> PACS -> ``pacs pull`` -> ``import-sr``: the same number as
    measured from the file."""
    pytest.importorskip("highdicom")
    orthanc.put_files(
        write_dicom(read(SAMPLE), tmp_path / "scan", **PATIENT, SeriesInstanceUID=SERIES, StudyInstanceUID=STUDY)
    )
    orthanc.put_files(head_series(tmp_path / "ellipsoid", SERIES + ".2", SeriesNumber=3))  # no brain to measure
    log = tmp_path / "log.txt"
    process = subprocess.Popen(
        [sys.executable, "-m", "MidlineShiftLogic", "listen", "--spool", tmp_path / "spool", "--to", orthanc.target,
         "--allow", "ORTHANC@127.0.0.1", "--port", str(listener_port), "--log", log, "--quiet-seconds", "1", "--device", "cpu"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == f"listening on port {listener_port}\n"
        (study,) = orthanc.get("/studies")
        orthanc.post("/modalities/midlineshift/store", {"Resources": [study]})
        wait_for(lambda: "sent" in log.read_text() and "refused" in log.read_text(), 900, log.read_text)
    finally:
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    assert not [secret for secret in SECRETS if secret in log.read_text()], log.read_text()
    modalities = {one["Modality"]: one["count"] for one in orthanc.series() if one["Modality"] != "CT"}
    assert modalities["SR"] == 1 and len(modalities) == 2 and sum(modalities.values()) > 3, modalities

    pulled = midlineshift(
        "pacs", "pull", "--from", orthanc.web, "--study", STUDY, "--modality", "SR", "--out", tmp_path / "sr"
    )
    assert pulled.code == 0, pulled.err
    (report,) = (tmp_path / "sr").rglob("*.dcm")
    assert pydicom.dcmread(report).PatientName == PATIENT["PatientName"]
    imported = midlineshift("import-sr", report, "--out", tmp_path / "imported")
    assert " mm to the left" in imported.out, imported.out + imported.err
    measured = midlineshift("measure", SAMPLE, "--out", tmp_path / "measured", "--device", "cpu")
    assert number(imported.out) == pytest.approx(number(measured.out), abs=0.25)


def number(line):
    return float(line.split(" mm")[0].split()[-1])
