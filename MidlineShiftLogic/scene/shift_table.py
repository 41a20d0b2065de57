"""Fill the table of measured slices and the plot of shift against slice."""

from __future__ import annotations

import vtk

from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.figures.drawing import BAR_COLOUR, FOUND_COLOUR
from MidlineShiftLogic.scene.nodes import MeasurementNodes

SLICE, HEIGHT, SHIFT = "Slice", "Height (mm)", "Shift to the left (mm)"
WINDOW, EDITED = "May stand for the case", "Edited"
COLUMNS = (SLICE, HEIGHT, SHIFT, WINDOW, EDITED)
"""Slice index of the canonical stack (0 = lowest); height above the anterior-commissure level; signed shift; yes or no."""

NOTE = "Research use only; not a medical device."


def add_table(scene, nodes: MeasurementNodes, prefix: str) -> None:
    """Make table, plot series and chart; ``fill_table`` fills them."""
    for role, name in (("table", "shifts"), ("case_table", "slice of the case")):
        nodes.put(role, scene.AddNewNodeByClass("vtkMRMLTableNode", f"{prefix} - {name}"))
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{prefix} - shift by slice")
    nodes.put("chart", chart)
    for role, table, name, colour in (
        ("series", "table", "each slice", FOUND_COLOUR),
        ("case_series", "case_table", "slice of the case", BAR_COLOUR),
    ):
        series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
        nodes.put(role, series)
        series.SetAndObserveTableNodeID(nodes.node(table).GetID())
        series.SetXColumnName(SLICE)
        series.SetYColumnName(SHIFT)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleCircle)
        series.SetMarkerSize(6 if role == "series" else 12)
        series.SetLineStyle(series.LineStyleSolid if role == "series" else series.LineStyleNone)
        series.SetColor(*(int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)))
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(NOTE)
    chart.SetXAxisTitle("Slice (0 = lowest)")
    chart.SetYAxisTitle("Shift (mm), + toward the patient's left")
    chart.SetLegendVisibility(True)


def fill_table(nodes: MeasurementNodes) -> None:
    """Write the measurement into the tables; the plot follows."""
    measurement = nodes.measurement
    _fill(nodes.node("table"), measurement, range(len(measurement.slices)))
    rows = [row for row, one in enumerate(measurement.slices) if one.index == measurement.slice]
    _fill(nodes.node("case_table"), measurement, rows)


def _fill(node, measurement: Measurement, rows) -> None:
    if node is None:
        return
    slices = [measurement.slices[row] for row in rows]
    columns = (
        _column(vtk.vtkIntArray, SLICE, [one.index for one in slices]),
        _column(vtk.vtkDoubleArray, HEIGHT, [round(one.height_mm, 1) for one in slices]),
        _column(vtk.vtkDoubleArray, SHIFT, [round(one.signed_shift_mm, 2) for one in slices]),
        _column(vtk.vtkStringArray, WINDOW, ["yes" if one.in_case_window else "no" for one in slices]),
        _column(vtk.vtkStringArray, EDITED, ["yes" if one.edited else "" for one in slices]),
    )
    modifying = node.StartModify()
    node.RemoveAllColumns()
    for column in columns:
        node.AddColumn(column)
    node.EndModify(modifying)


def _column(kind, name: str, values):
    column = kind()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    return column
