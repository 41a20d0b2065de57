"""Documents: links lead somewhere, commands exist, pictures have a text for those who cannot see them."""

import re

import pytest
from source_tree import ROOT, tracked

DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]


def commands() -> list[tuple[str, str]]:
    """Return (document, line) of each ``midlineshift`` command in a code block of any document."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"^ *```\w*\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.M | re.S):
            joined = block.replace("\\\n", " ")
            for line in re.findall(r"^ *\$? ?(midlineshift(?:-train)? .+)$", joined, re.MULTILINE):
                found.append((document.relative_to(ROOT).as_posix(), line.partition("#")[0]))
    return found


def test_commands_and_options_of_the_documents_exist():
    """Every ``midlineshift`` and ``midlineshift-train`` line names a command and options that exist."""
    import click

    from midlineshift_training.cli.main import main as train
    from MidlineShiftLogic.cli.main import cli

    lines = commands()
    assert len(lines) > 30
    for document, line in lines:
        words = re.split(r"[\s\[\]|]+", line.strip())
        command = {"midlineshift": cli, "midlineshift-train": train}[words.pop(0)]
        while words and words[0].startswith("--"):
            words.pop(0)
        context = click.Context(command, **command.context_settings)
        while isinstance(command, click.Group) and words:
            name = words.pop(0)
            command = command.get_command(context, name)
            assert command is not None, f"no command {name!r} in {document}: {line}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        assert used <= known, f"unknown {used - known} in {document}: {line}"


def test_a_page_names_every_option_of_measure():
    from MidlineShiftLogic.cli.measure import measure

    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for parameter in measure.params:
        if parameter.opts[0].startswith("--") and not parameter.hidden:
            assert parameter.opts[0] in text, f"no page mentions {parameter.opts[0]}"


def test_links_of_the_documents_lead_somewhere():
    for document in DOCUMENTS:
        text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.S)
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pictures_have_an_alternative_text(document):
    for text in re.findall(r"!\[([^\]]*)\]\(", document.read_text(encoding="utf-8")):
        assert len(text.split()) >= 3, f"say what the picture shows: {text!r}"


def test_records_are_numbered_once_and_dated():
    records = sorted((ROOT / "docs").rglob("adr/[0-9][0-9][0-9][0-9]-*.md"))
    assert len(records) > 25
    numbers = [path.name[:4] for path in records]
    assert len(numbers) == len(set(numbers))
    for path in records[1:]:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert re.search(r"^Status: (proposed|accepted|superseded by \d{4})\. Date: \d{4}-\d\d-\d\d\.$", text, re.M), (
            path.name
        )


# Where a path in a developer's page or in a comment may begin.
STARTS = ("", "MidlineShiftLogic/", "MidlineShift/", "MidlineShift/MidlineShiftLib/", "training/midlineshift_training/")


def test_files_named_on_the_pages_for_developers_exist():
    pages = [*(ROOT / "docs" / "developer").glob("*.md"), ROOT / "CONTRIBUTING.md"]
    for page in pages:
        for name in re.findall(r"`([\w./-]+(?:\.py|/))`", page.read_text(encoding="utf-8")):
            assert any((ROOT / start / name).exists() for start in STARTS), f"{page.name} names {name}"


def test_ten_questions_are_each_answered_by_a_name_in_a_file():
    """A name in brackets after a file is defined in that file, and every question has such an answer."""
    text = (ROOT / "docs" / "developer" / "where-is-what.md").read_text(encoding="utf-8")
    questions = [line for line in text.splitlines() if re.match(r"\| [^|]+\? \|", line) or '"midline shift"?' in line]
    assert len(questions) == 10
    for line in questions:
        answers = re.findall(r"`([\w./]+\.py)` \(`(\w+)`", line)
        assert answers, f"no name answers {line}"
        for file, name in answers:
            code = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^(?:def|class) {name}\b|^{name}\b.* =", code, re.M), f"{file}: {name}"


def test_documents_named_in_the_code_exist():
    records = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    for path in (path for path in tracked() if path.suffix in {".py", ".j2", ".toml", ".txt", ""}):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"\bdocs/[\w/-]+\.md", text):
            assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"
        for number in re.findall(r"\bdocs/adr/(\d{4})\b", text):
            assert number in records, f"{path.relative_to(ROOT)} names record {number}"


def test_the_repository_has_one_address():
    """The address in mkdocs.yml is that of every file: whoever publishes elsewhere learns here what to change."""
    address = re.search(
        r"^  repository: (\S+)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    ).group(1)
    others = set()
    for path in tracked():
        if path.suffix in (".md", ".txt", ".cff", ".json", ".toml", ".yml", ".py"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found = re.findall(r"https://github\.com/[\w.-]+/SlicerMidlineShift\b", text)
            others |= {(path.relative_to(ROOT).as_posix(), one) for one in found if one != address}
    assert not others
