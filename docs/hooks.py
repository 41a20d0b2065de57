"""MkDocs hooks: let pages link to files of the repository, so that the same link works on GitHub and in the site.

A picture outside ``docs/`` becomes a file of the site; any other file becomes an address in the public repository.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from commands import reference

PICTURES = "Resources"  # folder whose pictures pages may show
COMMANDS = re.compile(r"<!-- commands (\S+) (\S+) -->")
LINK = re.compile(r"(\]\(|(?:src|href)=\")(\.\./[^)\s\"]+)")


def on_files(files: Files, config) -> Files:
    """Add the pictures of the repository and the extension's icon to the site."""
    root = Path(config.config_file_path).parent
    for path in sorted((root / PICTURES).rglob("*.png")):
        files.append(File.generated(config, path.relative_to(root).as_posix(), abs_src_path=str(path)))
    icon = root / "MidlineShift" / "Resources" / "Icons" / "MidlineShift.png"
    files.append(File.generated(config, "assets/icon.png", abs_src_path=str(icon)))
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Write the commands of a reference page, and rewrite links that leave ``docs/``.

    A picture is shown from the site's copy; any other link leads to the repository.
    """
    markdown = COMMANDS.sub(lambda match: reference(match[1], match[2]), markdown)
    root = Path(config.config_file_path).parent
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def rewritten(match: re.Match) -> str:
        target, _, anchor = match[2].partition("#")
        inside = posixpath.normpath(posixpath.join(folder, target))
        if inside.startswith("docs/") or not (root / inside).exists():
            return match[0]  # of the site, or wrong, which the strict build reports
        if inside.startswith(f"{PICTURES}/") and inside.endswith(".png"):
            depth = page.file.src_uri.count("/")
            return match[1] + "../" * depth + inside
        kind = "tree" if (root / inside).is_dir() else "blob"
        return f"{match[1]}{config.extra['repository']}/{kind}/main/{inside}" + (f"#{anchor}" if anchor else "")

    return LINK.sub(rewritten, markdown)


def on_page_content(html: str, page, config, files) -> str:
    """List the decision records on their index page."""
    if "<!-- records -->" not in html:
        return html
    folder = Path(page.file.abs_src_path).parent
    rows = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]-*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        if not path.name.startswith("0000"):
            rows.append(f'<li><a href="{path.stem}.html">{title}</a></li>')
    return html.replace("<!-- records -->", f"<ul>{''.join(rows)}</ul>")
