"""The pictures show what was measured, where, at true proportions, with the patient's right on the left."""

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_case
from matplotlib import image
from matplotlib.colors import to_rgb

from MidlineShiftLogic.quality import Quality
from MidlineShiftLogic.reporting.figures import drawing, overlay
from MidlineShiftLogic.reporting.figures.overlay import write_overlay
from MidlineShiftLogic.reporting.figures.sheet import MOST_TILES, choose, write_sheet
from MidlineShiftLogic.reporting.formatting import case_line, certainty_text, shift_text


def near(picture, colour, tolerance=0.12):
    return np.abs(picture[..., :3] - to_rgb(colour)).max(-1) < tolerance


def measured_panel(picture):
    """The first panel's pixels, without words around it."""
    height, width = picture.shape[:2]
    top = 1 - overlay.PANEL_BOTTOM - overlay.PANEL_HEIGHT
    rows = slice(round(top * height), round((1 - overlay.PANEL_BOTTOM) * height))
    return picture[rows, round(overlay.GAP * width) : round((overlay.GAP + overlay.PANEL_WIDTH) * width)]


def pixels_per_mm(ct, index, panel):
    box = drawing.head_box(ct, index, overlay.WIDTH * overlay.PANEL_WIDTH / (overlay.HEIGHT * overlay.PANEL_HEIGHT))
    return panel.shape[1] / (box[1] - box[0]), panel.shape[0] / (box[2] - box[3])


@pytest.mark.parametrize("shift_mm", [-8.0, 12.0])
@pytest.mark.parametrize("spacing", [(5.0, 0.8, 0.9), (5.0, 1.1, 0.7)])
def test_midline_is_drawn_as_far_and_to_the_side_it_was_measured(tmp_path, shift_mm, spacing):
    shape = (24, round(220 / spacing[1]), round(180 / spacing[2]))
    ct = synthetic_case.drawn_head(shift_mm, shape, spacing)
    measurement, dense = synthetic_case.measured(ct, shift_mm)
    write_overlay(tmp_path / "overlay.png", ct, measurement, dense)
    panel = measured_panel(image.imread(tmp_path / "overlay.png"))
    across, down = pixels_per_mm(ct, measurement.slice, panel)
    assert across == pytest.approx(down, rel=0.01)

    ideal = np.nonzero(near(panel, drawing.IDEAL_COLOUR))[1]
    centre = np.median(ideal)
    found = np.nonzero(near(panel, drawing.FOUND_COLOUR))[1]
    # the curve without the ring around its landmark: the outermost columns but the ring's radius
    ring = 7 / 72 * overlay.DPI / 2 + 2
    reach = (found.max() if shift_mm > 0 else found.min()) - centre
    assert np.sign(reach) == np.sign(shift_mm)
    assert abs(reach) - ring == pytest.approx(abs(shift_mm) * across, abs=3.0)


def test_lines_keep_their_dark_rims_and_the_legend_has_none(tmp_path, case, monkeypatch):
    ct, measurement, dense = case
    figures = []
    original = drawing.new_figure
    monkeypatch.setattr(drawing, "new_figure", lambda *size: figures.append(original(*size)) or figures[-1])
    write_overlay(tmp_path / "overlay.png", ct, measurement, dense)
    (figure,) = figures
    rims = {line.get_label(): bool(line.get_path_effects()) for line in figure.axes[0].lines}
    assert rims["midline found"] and rims["shifted place"]
    assert not any(handle.get_path_effects() for handle in figure.legends[0].legend_handles)


@pytest.mark.parametrize("count", [1, 3])
def test_a_long_warning_covers_no_other_words(tmp_path, case, monkeypatch, count):
    ct, measurement, dense = case
    warning = (
        "Up to 90 degrees of the vault are without bone on 10 of 11 slices (a craniectomy); the midline bulges. " * 2
    )
    flags = tuple(Quality(f"skull-{k}", "warning", warning.strip()) for k in range(count))
    model = {"name": "a-model-with-a-long-name", "version": "12"}
    figures = []
    original = drawing.new_figure
    monkeypatch.setattr(drawing, "new_figure", lambda *size: figures.append(original(*size)) or figures[-1])
    write_overlay(tmp_path / "overlay.png", ct, replace(measurement, quality=flags, model=model), dense)
    (figure,) = figures
    bar = figure.axes[-1].get_tightbbox()
    boxes = [text.get_window_extent() for text in figure.texts] + [figure.legends[0].get_window_extent(), bar]
    shown = " ".join(text.get_text() for text in figure.texts if text.get_color() == drawing.WARNING_COLOUR)
    assert shown.startswith("Check: Up to 90 degrees") and ("2 more" in shown) == (count == 3)
    for k, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[k + 1 :])
        assert one.x0 >= 0 and one.x1 <= figure.bbox.x1 and one.y0 >= 0


def test_slice_set_back_to_normal_is_the_one_given(tmp_path, case):
    ct, measurement, dense = case
    bright = replace(dense, warped_hu=np.full_like(dense.warped_hu, 80.0))
    write_overlay(tmp_path / "a.png", ct, measurement, dense)
    write_overlay(tmp_path / "b.png", ct, measurement, bright)
    changed = np.abs(image.imread(tmp_path / "a.png") - image.imread(tmp_path / "b.png")).max(-1) > 0.05
    columns = np.nonzero(changed)[1] / changed.shape[1]
    assert columns.min() > overlay.PANEL_WIDTH and columns.max() < 2 * (overlay.PANEL_WIDTH + overlay.GAP) + 0.01


def test_arrows_start_at_the_normal_place_and_end_at_the_tissue(case):
    ct, measurement, dense = case
    figure = drawing.new_figure(4, 4, 100)
    axes = figure.add_axes((0, 0, 1, 1))
    field = np.asarray(dense.displacement_mm[measurement.slice], float)
    overlay._draw_displacement(axes, ct, field)
    arrows = next(child for child in axes.get_children() if type(child).__name__ == "Quiver")
    assert (arrows.U < 0).all()  # pushed to the patient's right, the picture's left
    tips = np.array([arrows.X + arrows.U, arrows.Y + arrows.V]).T / ct.pixel_spacing[::-1]
    np.testing.assert_allclose(tips, np.round(tips), atol=1e-6)


def test_drawing_is_repeatable_and_leaves_pyplot_alone(tmp_path, case):
    ct, measurement, dense = case
    for name in ("a", "b"):
        write_overlay(tmp_path / f"{name}.png", ct, measurement, dense)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    code = (
        "import sys, pathlib, synthetic_case as s\n"
        "from MidlineShiftLogic.reporting.write_case import write_case\n"
        "ct = s.drawn_head(); write_case(pathlib.Path(sys.argv[1]), 'case', *((m := s.measured(ct))[0], ct, m[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules\n"
    )
    helpers = str(next(path for path in sys.path if path.endswith("helpers")))
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({helpers!r})\n{code}", str(tmp_path)], check=True
    )
    assert sorted(path.name for path in (tmp_path / "case").iterdir()) == [
        "measurement.json",
        "overlay.png",
        "slices.png",
    ]


@pytest.mark.parametrize("name", ["$x_1^2$ \\frac", "日本語 Schädel", "x" * 300, "line\nbreak", ""])
def test_any_case_name_can_be_drawn(tmp_path, case, name):
    ct, measurement, dense = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_overlay(tmp_path / "overlay.png", ct, replace(measurement, case_id=name), dense)


def test_sheet_shows_every_measured_slice_and_frames_the_cases_own(tmp_path, case):
    ct, measurement, _ = case
    write_sheet(tmp_path / "sheet.png", ct, measurement)
    picture = image.imread(tmp_path / "sheet.png")
    framed = near(picture, drawing.FOUND_COLOUR).sum()
    write_sheet(tmp_path / "none.png", ct, replace(measurement, slice=None))
    assert framed > near(image.imread(tmp_path / "none.png"), drawing.FOUND_COLOUR).sum() + 500


def test_sheet_of_many_slices_keeps_the_cases_own(case):
    many = tuple(replace(case[1].slices[0], index=k) for k in range(300))
    for own in (0, 1, 150, 299):
        shown = [one.index for one in choose(many, own)]
        assert len(shown) == MOST_TILES and own in shown and shown == sorted(shown)


def test_pictures_say_how_sure_the_number_is(tmp_path, case, monkeypatch):
    ct, measurement, dense = case
    sure = replace(measurement, interval_mm=(-9.24, -6.84), p_over_5mm=0.97)
    words = []
    original = drawing.write_text
    monkeypatch.setattr(drawing, "write_text", lambda *a, **k: words.append(a[3]) or original(*a, **k))
    write_overlay(tmp_path / "overlay.png", ct, sure, dense)
    assert words.count("(90 %: 6.8 to 9.2), P(>5 mm) 0.97") == 1
    write_sheet(tmp_path / "sheet.png", ct, sure)
    assert words.count("(90 %: 6.8 to 9.2), P(>5 mm) 0.97") == 2
    words.clear()
    write_overlay(tmp_path / "overlay.png", ct, measurement, dense)
    assert not any("90 %" in word or "P(>" in word for word in words)


@pytest.mark.parametrize(
    ("interval", "p", "text"),
    [
        (None, None, ""),
        ((5.04, 7.43), 0.934, "(90 %: 5.0 to 7.4), P(>5 mm) 0.93"),
        ((-7.43, -5.04), 0.934, "(90 %: 5.0 to 7.4), P(>5 mm) 0.93"),
        ((-0.5, 2.5), 0.001, "(90 %: 0.5 R to 2.5 L), P(>5 mm) <0.01"),
        ((11.0, 14.0), 0.9999, "(90 %: 11.0 to 14.0), P(>5 mm) >0.99"),
    ],
)
def test_how_sure_in_words(case, interval, p, text):
    assert certainty_text(replace(case[1], interval_mm=interval, p_over_5mm=p)) == text


def test_the_terminal_shows_the_authors_number_where_it_is_asked_for(case):
    usual = case_line(case[1], Path("out"))
    asked = case_line(replace(case[1], authors_readout_mm=11.26), Path("out"))
    assert "largest displacement 11.3 mm (Gong et al. 2023)" in asked
    assert "largest" not in usual and usual in asked.replace("  largest displacement 11.3 mm (Gong et al. 2023)", "")


def test_small_shift_has_no_side():
    assert shift_text(0.44) == "0.4 mm"
    assert shift_text(-0.6) == "0.6 mm to the right"
    assert shift_text(7.94) == "7.9 mm to the left"
