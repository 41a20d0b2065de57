"""A fetched series appears whole or not at all, whatever the archive does."""

import pytest

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.pacs.exchange import FoundSeries, fetch_series
from MidlineShiftLogic.pacs.targets import PacsError, Unreachable

SERIES = FoundSeries("1.2", "1.2.3", 4, "CT", "head", "20250101", 3)


class Archive:
    """Gives ``count`` objects, then raises ``error`` if there is one."""

    def __init__(self, count, error=None):
        self.count, self.error, self.asked = count, error, 0

    def fetch(self, found, folder):
        self.asked += 1
        for number in range(self.count):
            (folder / f"{number}.dcm").write_bytes(b"x")
        if self.error:
            raise self.error
        return self.count


def test_whole(tmp_path):
    reported, archive = [], Archive(3)
    for _ in range(2):
        fetch_series(archive, [SERIES], tmp_path, lambda found, what: reported.append(what))
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("series_4_") and "1.2.3" not in folder.name and len(list(folder.iterdir())) == 3
    assert archive.asked == 1 and "(3 images)" in reported[0] and "already" in reported[1]


@pytest.mark.parametrize(
    ("archive", "kind", "sentence"),
    [
        (Archive(2), PacsError, "gave 2 of 3 images of series 4"),
        (Archive(0), PacsError, "gave 0 of 3"),
        (Archive(2, Unreachable("It went away.")), Unreachable, "It went away"),
        (
            Archive(2, OSError(28, "No space left on device")),
            InputError,
            "No space left on device; choose another --out",
        ),
    ],
)
def test_not_whole(tmp_path, archive, kind, sentence):
    with pytest.raises(kind, match=sentence):
        fetch_series(archive, [SERIES], tmp_path, lambda *_: None)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_replaced(tmp_path):
    left = tmp_path / f".{SERIES.folder}.partial"
    left.mkdir()
    (left / "old.dcm").touch()
    fetch_series(Archive(3), [SERIES], tmp_path, lambda *_: None)
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["0.dcm", "1.dcm", "2.dcm"]
