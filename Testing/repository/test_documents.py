"""Documents: links lead somewhere, commands exist, pictures have a text for those who cannot see them."""

import re
import shlex

import click
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


def programs() -> dict[str, click.Group]:
    from midlineshift_training.cli.main import main as train
    from MidlineShiftLogic.cli.main import cli

    return {"midlineshift": cli, "midlineshift-train": train}


def test_commands_of_the_documents_are_accepted(monkeypatch):
    """Every command line names a command, gives what the command needs, and no option or value that it does not know."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: value)  # no file is there
    lines = commands()
    assert len(lines) > 50
    for document, line in lines:
        words = shlex.split(line)
        name = words.pop(0)
        command = programs()[name]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name = words.pop(0)
            command = command.get_command(click.Context(command, **command.context_settings), name)
            assert command is not None, f"no command {name!r} in {document}: {line}"
        try:
            with command.make_context(name, words):
                pass
        except click.exceptions.Exit:
            pass  # --version, --help
        except click.ClickException as error:
            pytest.fail(f"{document}: {line}: {error.format_message()}")


def options(command: click.Command) -> set[str]:
    """Return every option of a command and of those below it."""
    found = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    if isinstance(command, click.Group):
        context = click.Context(command, **command.context_settings)
        for name in command.list_commands(context):
            found |= options(command.get_command(context, name))
    return found


def test_commands_and_options_named_in_sentences_exist():
    """In a sentence or a table a command may be cut short, and an option stand alone. Ours have no underscores."""
    known = {name: options(program) for name, program in programs().items()}
    others = {"--datalist", "--find-links"}  # of MONAI and pip
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        if document.parent.name == "adr" or document.name == "differences-from-the-paper.md":
            continue  # records tell of their day, and that page names the authors' options
        for option in re.findall(r"`(--[a-z][\w-]*)", text):
            everywhere = set().union(*known.values(), others)
            assert "_" in option or option in everywhere, f"{document.relative_to(ROOT)} names {option}"
        for name, words in re.findall(r"`(midlineshift(?:-train)?) ([^`]*)`", text):
            command = programs()[name]
            words = [word for word in words.split() if word not in {"--debug", "--version"}]
            while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z-]+", words[0]):
                context = click.Context(command, **command.context_settings)
                command = command.get_command(context, words.pop(0))
                assert command is not None, f"{document.relative_to(ROOT)}: {name} {words}"
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= options(command), f"{document.relative_to(ROOT)}: {name} {words}"


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
