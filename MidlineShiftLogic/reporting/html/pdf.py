"""Print ``report.html`` to PDF with WeasyPrint (an optional extra: it needs Pango, which pip does not bring)."""

from __future__ import annotations

import logging

from MidlineShiftLogic.errors import InputError

REMEDY = (
    "install it with: python -m pip install weasyprint, and Pango with your system's packages (Debian, Ubuntu: apt "
    "install libpango-1.0-0 libpangoft2-1.0-0; macOS: brew install pango; Windows: see WeasyPrint's page); or open "
    "report.html in a browser and print it, it fits two pages"
)


def to_pdf(html: str, paper: str = "A4") -> bytes:
    """Return the document as PDF, tagged for screen readers. Nothing is fetched: the report holds all it needs.

    Args:
        html: what ``report_html`` made.
        paper: a page size of CSS: ``A4``, ``letter``.

    Raises:
        InputError: WeasyPrint or Pango is missing.
    """
    require_pdf()
    from weasyprint import CSS, HTML
    from weasyprint.urls import URLFetcher

    logger = logging.getLogger("weasyprint")
    before, logger.level = logger.level, logging.ERROR
    try:
        document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=("data",)))
        return document.write_pdf(stylesheets=[CSS(string=f"@page {{ size: {paper} }}")], pdf_tags=True)
    finally:
        logger.level = before


def require_pdf() -> None:
    """Raise InputError where no PDF can be made: to be called before anything is measured."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: Pango's library is not there
        raise InputError(f"A PDF needs WeasyPrint ({error.__class__.__name__}); {REMEDY}.", "pdf") from error
