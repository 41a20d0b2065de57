"""Settings are typed: what a YAML file, --set and options give is checked, and errors are one sentence."""

from pathlib import Path

import pytest
import yaml

from midlineshift_training.trainers.settings.common import is_recorded
from midlineshift_training.trainers.settings.merge import checked, merge_settings
from midlineshift_training.trainers.settings.midline import DeformationSettings
from midlineshift_training.trainers.settings.stored import KINDS, load_run_settings, save_run_settings
from MidlineShiftLogic.errors import InputError


def write(folder, text):
    path = folder / "s.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_then_set_then_options_replace_the_defaults(tmp_path):
    file = write(tmp_path, "batch: 8\nseed: 1\nnoise: {t: 200}\n")
    options = {"max_steps": None, "seed": 3}
    merged = merge_settings(DeformationSettings(), file, ["batch=9", "loss.image=0.5", "t_range=[100, 200]"], options)
    assert (merged.batch, merged.noise.t, merged.noise.grid, merged.seed) == (9, 200, 64, 3)
    assert (merged.loss.image, merged.loss.hinge, merged.t_range) == (0.5, 0.05, (100, 200))
    assert DeformationSettings().noise.t == 300, "the defaults are not touched"


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path):
    text = "learning_rate: 1e-4\nbatch: '8'\n"
    assert isinstance(yaml.safe_load(text)["learning_rate"], str)  # YAML 1.1 wants 1.0e-4
    merged = merge_settings(DeformationSettings(), write(tmp_path, text), ["weight_decay=2e-5"])
    assert (merged.learning_rate, merged.batch, merged.weight_decay) == (1e-4, 8, 2e-5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("bathc: 8", r"sets bathc\. This run has no such setting \(did you mean batch\?\); it has .*batch"),
        ("colour: 8", r"sets colour\. This run has no such setting; it has"),
        ("loggers: csv", r"The setting loggers must be a list, as \[csv\], not 'csv'"),
        ("loss: 3", "sets loss to 3, where a mapping"),
        ("loss: {imag: 1}", r"sets imag. The group loss has no such setting \(did you mean image\?\)"),
        ("data: [x]", "sets data"),
        ("learning_rate: fast", "The setting learning_rate must be a valid number, .*not 'fast'"),
        ("batch: 0", "The setting batch must be greater than or equal to 1, not 0"),
        ("batch: true", "The setting batch must be a number, not True"),
        ("max_steps: 2.5", "The setting max_steps must be a whole number, not 2.5"),
        ("batch: [\nx: 1", r"s.yaml are not YAML \(line 2: "),
        ("patience: 0", "The setting patience"),
        ("earlier_checkpoints: -1", "The setting earlier_checkpoints"),
        ("rate: steep", "The setting rate must be 'cosine', 'constant' or 'linear', not 'steep'"),
        ("noise: {t: [3]}", "The setting noise.t must be"),
        ("noise: {grid: 32}", r"must be that of the deformation network \(grid 128\), or half"),
        ("{fused_optimizer: true, precision: 16-mixed}", "fused_optimizer does not go with precision 16-mixed"),
        ("ddim: {start: 50}", "must be below count"),
        (b"batch: \xff", "Cannot read the settings"),
        ("- 1", "must be a YAML mapping"),
    ],
)
def test_settings_that_cannot_be_used_are_reported_in_a_sentence(tmp_path, content, said):
    with pytest.raises(InputError, match=said) as raised:
        merge_settings(DeformationSettings(), write(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"^Cannot read the settings nowhere.yaml: No such file or directory\.$"):
        merge_settings(DeformationSettings(), Path("nowhere.yaml"))


@pytest.mark.parametrize("assignment", ["batch", "=3", "batch=[", "noise.t.x=1"])
def test_assignments_that_are_none(assignment):
    with pytest.raises(InputError):
        merge_settings(DeformationSettings(), assignments=[assignment])


def test_a_grid_that_does_not_matter_is_allowed():
    odd = {"noise": {"grid": 32}, "noise_difference": False}
    assert checked(DeformationSettings, odd).noise.grid == 32


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_stored_and_loaded(tmp_path, kind):
    settings = KINDS[kind](batch=5, data=["a"], held_out=["b"])
    save_run_settings(tmp_path, settings)
    assert load_run_settings(tmp_path) == settings


def test_settings_of_earlier_versions_are_loaded(tmp_path):
    earlier = {"broad": False, "fineness": 3, "noise_difference": False, "versions": {"torch": "2"}, "gone": 1}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(earlier))
    loaded = load_run_settings(tmp_path)
    assert isinstance(loaded, DeformationSettings)
    assert (loaded.upsampling, loaded.noise_difference, loaded.versions) == (3, False, {"torch": "2"})
    assert merge_settings(loaded, assignments=["fineness=1"]).upsampling == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_has_a_meaning(kind):
    for name, field in KINDS[kind].model_fields.items():
        assert field.description and field.description.endswith((".", ")")), name
    assert {"data", "init", "task"} <= {name for name in KINDS[kind].model_fields if is_recorded(name, KINDS[kind])}
