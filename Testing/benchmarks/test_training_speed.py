"""The benchmark of training runs and fills its table, and the authors' way gives what ours gives. No time is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from training_authors import index_of, kept_in_memory, landmark_batch, write_volumes

from midlineshift_training.datasets.landmark_dataset import cut_landmark_batch, identity


@pytest.mark.slow
def test_short_form(tmp_path):
    script = Path(__file__).parent / "training_speed.py"
    done = subprocess.run(
        [sys.executable, script, "--short", "--json", tmp_path / "f.json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    rows = [*figures["loading"].values(), *figures["training"].values(), *figures["choices"].values()]
    assert len(rows) == 17 and all(0 < row["lowest"] <= row["ratio"] <= row["highest"] for row in rows)
    assert all(name in done.stdout for name in [*figures["loading"], *figures["training"], *figures["choices"]])
    assert "Short form" in done.stdout and min(figures["memory_mb"].values()) > 100


def test_both_ways_load_the_same_slices(tmp_path):
    paths = write_volumes(tmp_path, 2, 16, 64)
    index, store = index_of(paths), kept_in_memory(paths)
    assert len(index) == len(store) == 2 * (16 - 5 - 8)
    chosen = torch.tensor([4, 1])
    still = {"mirror": 0.0, "rotation_deg": 0.0, "size_jitter": 0.0, "place_jitter_px": 0.0}
    theirs = landmark_batch(index, chosen, still, torch.Generator().manual_seed(0))
    ours = cut_landmark_batch(store, chosen, identity(2))
    assert torch.equal(ours.hu, theirs.hu) and torch.equal(ours.head, theirs.head)
    assert torch.equal(ours.landmarks.nan_to_num(-1), theirs.landmarks.nan_to_num(-1))
