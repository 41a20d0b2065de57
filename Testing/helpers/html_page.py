"""An HTML page as tests look at it: a tree of elements, and what keeps people out or reaches outside."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "hr"}
OUTSIDE = re.compile(r"(https?:)?//[\w.]|\burl\(|@import|javascript:", re.IGNORECASE)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str | None = None) -> list[Element]:
        """This element's descendants in order, of one tag or of any."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if tag in (None, child.tag) else []
                found += child.all(tag)
        return found

    def one(self, tag: str) -> Element:
        (only,) = self.all(tag)
        return only

    def of_class(self, name: str) -> list[Element]:
        return [element for element in self.all() if name in element.attributes.get("class", "").split()]

    @property
    def text(self) -> str:
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(" ".join(parts).split())


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"an attribute twice in <{tag}>"
        element = Element(tag, {name: value or "" for name, value in attributes}, self.open[-1])
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    """The page's tree; AssertionError where tags are not nested or an attribute stands twice."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [parser.root], f"<{parser.open[-1].tag}> is not closed"
    return parser.root


def reaches_outside(page: Element) -> list[str]:
    """Every attribute value and style that names a place outside the page; ``data:`` addresses do not."""
    found = []
    for element in page.all():
        for name, value in element.attributes.items():
            if not value.startswith("data:") and OUTSIDE.search(value):
                found.append(f"<{element.tag} {name}={value[:80]!r}>")
        if element.tag in ("script", "link", "iframe", "object", "base", "form", "a"):
            found.append(f"<{element.tag}>")
        if element.tag == "style" and OUTSIDE.search(element.text):
            found.append("<style>")
    return found


def barriers(page: Element) -> list[str]:
    """What a screen reader would stumble over, in words (from WCAG 2.2, as far as the tree alone tells)."""
    found = []
    if not page.one("html").attributes.get("lang"):
        found.append("no language")
    if not page.one("title").text:
        found.append("no title")
    for landmark in ("header", "main", "footer", "h1"):
        if len(page.all(landmark)) != 1:
            found.append(f"{len(page.all(landmark))} of <{landmark}>")
    levels = [int(element.tag[1]) for element in page.all() if re.fullmatch("h[1-6]", element.tag)]
    if any(after > before + 1 for before, after in itertools.pairwise(levels)):
        found.append(f"headings jump: {levels}")
    found += [
        f"<{image.tag}> without words" for image in page.all("img") if not image.attributes.get("alt", "").strip()
    ]
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    found += [f"id {name} twice" for name in set(ids) if ids.count(name) > 1]
    for element in page.all():
        label = element.attributes.get("aria-labelledby")
        if label is not None and label not in ids:
            found.append(f"label {label} is not there")
        if element.tag == "section" and label is None:
            found.append("a section without a name")
    for table in page.all("table"):
        if not table.all("caption") or not table.one("caption").text:
            found.append("table without caption")
        if any(header.attributes.get("scope") not in ("col", "row") for header in table.all("th")):
            found.append("table header without scope")
        widths = {len([c for c in row.children if isinstance(c, Element)]) for row in table.all("tr")}
        if len(widths) != 1:
            found.append(f"rows of different lengths: {widths}")
    viewport = [m for m in page.all("meta") if m.attributes.get("name") == "viewport"]
    if not viewport or re.search("user-scalable=no|maximum-scale", viewport[0].attributes["content"]):
        found.append("cannot be enlarged")
    return found


def contrast(one: str, two: str) -> float:
    """WCAG contrast of two ``#rrggbb`` (or ``#rgb``) colours, 1 to 21."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)
