"""PACS -> listener -> results -> PACS, with a real PACS; either side killed in the middle: nothing lost, nothing twice."""

import random
import signal
import time

import pytest
import requests
from pacs_case import SECRETS, SERIES, ListenerProcess, head_series, wait_for


def settled(listener, state="sent", count=1):
    return listener.queue().count(f"  {state}  ") == count


def assert_one_result(orthanc, listener):
    """Both kinds of objects are there once, in the study, and nothing of the patient stays with the listener."""
    assert (orthanc.count("SR"), orthanc.count("OT"), orthanc.count("CT")) == (1, 2, 12)
    assert len(orthanc.get("/studies")) == 1 == len(orthanc.get("/patients"))
    wait_for(lambda: not [*listener.spool.glob("images/*"), *listener.spool.glob("results/*")])


def assert_says_nothing(listener):
    found = [secret for secret in SECRETS if secret in listener.logged()]
    assert not found, listener.logged()


def test_results_arrive_once_and_the_log_names_nobody(orthanc, listener, series):
    orthanc.put_files(series)
    listener.start()
    orthanc.send_series(SERIES, "midlineshift")
    wait_for(lambda: settled(listener), what=listener.logged)
    assert_one_result(orthanc, listener)
    # The PACS sends the same again (a rule that forwards what changed, say), with everything in the study.
    (study,) = orthanc.get("/studies")
    orthanc.post("/modalities/midlineshift/store", {"Resources": [study]})
    wait_for(lambda: "no new images" in listener.logged(), what=listener.logged)
    assert settled(listener)
    assert listener.measurements() == 1
    assert_one_result(orthanc, listener)
    assert_says_nothing(listener)
    assert listener.end() == 0
    assert "stopped; the queue: 1 sent" in listener.logged()


def test_results_by_dicomweb(tmp_path, orthanc, listener_port, series):
    listener = ListenerProcess(tmp_path, orthanc.web, listener_port)
    orthanc.put_files(series)
    listener.start()
    orthanc.send_series(SERIES, "midlineshift")
    wait_for(lambda: settled(listener), what=listener.logged)
    assert_one_result(orthanc, listener)
    assert_says_nothing(listener)
    assert listener.end(signal.SIGINT) == 0


def test_listener_killed_while_it_receives(tmp_path, orthanc, listener, series):
    """What came before the kill is no series: it waits for the rest, and the PACS sends it again."""
    orthanc.put_files(series)
    listener.start()
    orthanc.send_series(SERIES, "midlineshift", asynchronous=True)
    wait_for(lambda: len(list(listener.spool.glob("images/*/*.dcm"))) >= 3)
    listener.kill()
    kept = len(list(listener.spool.glob("images/*/*.dcm")))
    listener.start()
    if kept < 12:
        time.sleep(1.5)  # three quiet times
        assert listener.measurements("begin") == 0 and "receiving" in listener.queue()
    orthanc.send_series(SERIES, "midlineshift")
    wait_for(lambda: settled(listener), what=listener.logged)
    assert listener.measurements() == 1
    assert_one_result(orthanc, listener)


def test_listener_killed_while_it_measures_twice(orthanc, listener, series):
    orthanc.put_files(series)
    listener.start(seconds=600)
    orthanc.send_series(SERIES, "midlineshift")
    for times, seconds in enumerate((600, 0), start=1):
        wait_for(lambda times=times: listener.measurements("begin") == times, what=listener.logged)
        listener.kill()
        listener.start(seconds=seconds)
    wait_for(lambda: settled(listener), what=listener.logged)
    assert listener.measurements("begin") == 3 and listener.measurements() == 1
    assert_one_result(orthanc, listener)


def test_stopped_while_it_measures(orthanc, listener, series):
    """SIGTERM breaks the measurement off, counts no failure, and leaves nothing unfinished."""
    orthanc.put_files(series)
    listener.start(seconds=600)
    orthanc.send_series(SERIES, "midlineshift")
    wait_for(lambda: listener.measurements("begin") == 1, what=listener.logged)
    assert listener.end() == 0
    assert "1 waiting" in listener.logged() and not list((listener.spool / "work").iterdir())
    listener.start(seconds=0)
    wait_for(lambda: settled(listener), what=listener.logged)
    assert_one_result(orthanc, listener)


def test_pacs_killed_before_the_results_come_and_listener_killed_while_it_waits(orthanc, listener, series):
    orthanc.put_files(series)
    listener.start(seconds=600)
    orthanc.send_series(SERIES, "midlineshift")
    wait_for(lambda: listener.measurements("begin") == 1, what=listener.logged)
    orthanc.kill()
    listener.go()
    wait_for(lambda: "does not answer" in listener.logged(), what=listener.logged)
    assert settled(listener, "sending")
    listener.kill()
    listener.start()
    wait_for(lambda: listener.logged().count("does not answer") >= 2, what=listener.logged)
    orthanc.start()
    wait_for(lambda: settled(listener), what=listener.logged)
    assert listener.measurements() == 1
    assert_one_result(orthanc, listener)
    assert_says_nothing(listener)


def test_many_series_of_a_study_at_once(tmp_path, orthanc, listener):
    """Each is measured for itself: the localizer, the bone kernel and the sagittal one are refused, the others come back."""
    series = {f"{SERIES}.{number}": {} for number in range(3)}
    series[f"{SERIES}.7"] = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    series[f"{SERIES}.8"] = {"ConvolutionKernel": "H60s"}
    series[f"{SERIES}.9"] = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "edit": across}
    for uid, changes in series.items():
        orthanc.put_files(head_series(tmp_path / uid, uid, **changes))
    listener.start()
    (study,) = orthanc.get("/studies")
    orthanc.post("/modalities/midlineshift/store", {"Resources": [study]})
    wait_for(lambda: settled(listener, "sent", 3) and settled(listener, "refused", 3), what=listener.logged)
    assert (orthanc.count("SR"), orthanc.count("OT")) == (3, 6)
    for why in ("not slices of Hounsfield units (localizer)", "bone or lung kernel", "are sagittal, not axial"):
        assert listener.logged().count(why) == 1, listener.logged()
    wait_for(lambda: not list(listener.spool.glob("images/*")), what="refused images are dropped")
    assert_says_nothing(listener)


def across(dataset, index):
    """Images side by side instead of one above the other."""
    dataset.ImagePositionPatient = [10.0 * index, 0.0, 0.0]


@pytest.mark.slow
def test_killed_at_random(tmp_path, orthanc, listener):
    """Three series, sent until each was taken, while now the listener and now the PACS is killed."""
    chance = random.Random(7)
    waiting = [f"{SERIES}.{number}" for number in range(3)]
    for uid in waiting:
        orthanc.put_files(head_series(tmp_path / uid, uid))
    listener.start(seconds=0.5)
    for number in range(6):
        # An asynchronous one is cut off; a synchronous one was taken whole.
        if waiting and sends(orthanc, waiting[0], asynchronous=number % 2 == 0) and number % 2:
            waiting.pop(0)
        time.sleep(chance.random() * 2)
        killed = (listener, orthanc)[number % 2]
        killed.kill()
        time.sleep(chance.random())
        killed.start()
    for uid in waiting:
        wait_for(lambda uid=uid: sends(orthanc, uid))
    wait_for(lambda: settled(listener, "sent", 3), what=lambda: listener.logged() + listener.queue())
    assert (orthanc.count("SR"), orthanc.count("OT"), orthanc.count("CT")) == (3, 6, 36)
    assert "job 3  sent" in listener.queue(), "numbers follow one another"
    assert_says_nothing(listener)


def sends(orthanc, uid, asynchronous=False):
    """Whether the PACS could send it; one that could not tries again later."""
    try:
        return orthanc.send_series(uid, "midlineshift", asynchronous)
    except requests.RequestException:
        return None
