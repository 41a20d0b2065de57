"""The checks of a scan in one line."""


def scanLine(ct) -> str:
    """Size and outcome of a ``HeadCT`` with the flags of ``headct.check``: the worst flag is told, others are counted."""
    row, column = ct.pixel_spacing
    step = abs(ct.heights[-1] - ct.heights[0]) / max(ct.n_slices - 1, 1)
    size = f"{ct.n_slices} slices of {ct.hu.shape[2]} × {ct.hu.shape[1]}, {column:.2f} × {row:.2f} × {step:.1f} mm."
    fatal = [flag for flag in ct.quality if flag.severity == "fatal"]
    warnings = [flag for flag in ct.quality if flag.severity == "warning"]
    if fatal:
        return f"{size} Cannot be measured: {fatal[0].message}"
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        return f"{size} Look at it first: {warnings[0].message}{more}"
    return f"{size} All checks passed."
