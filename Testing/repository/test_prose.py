"""The prose check finds what it is meant to find, and leaves code alone."""

import pytest

pytest.importorskip("proselint")

import check_prose


@pytest.fixture(autouse=True, scope="module")
def registered():
    import proselint.checks
    from proselint.registry import CheckRegistry

    CheckRegistry().register_many(proselint.checks.__register__)


def found(tmp_path, text: str) -> list[str]:
    document = tmp_path / "page.md"
    document.write_text(text, encoding="utf-8")
    return [f"{line}: {what}" for line, what in check_prose.findings(document)]


def test_private_words_and_long_sentences_are_found(tmp_path):
    text = "# Title\n\nThe read-out is a number.\n\n" + "word " * 60 + ".\n"
    lines = found(tmp_path, text)
    assert len(lines) == 2 and lines[0].startswith("3: 'read-out'") and "words in a sentence" in lines[1]


def test_code_addresses_and_titles_are_left_alone(tmp_path):
    text = "Set `--authors-readout`; see [the page](read-out.md).\n\n```sh\nread-out color\n```\n\n*Brain Hemorrhage Images*\n"
    assert found(tmp_path, text) == []


def test_proselint_is_asked(tmp_path):
    assert any("archaic" in line for line in found(tmp_path, "The archive keeps them for ever.\n"))


def test_private_words_are_found_in_docstrings_and_messages_and_not_in_names(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        '"""Tell whether a ``read-out`` is there.\n\nThe mid-plane is x = 0.\n"""\n'
        'OPTION = "--authors-readout"\nraise ValueError(f"the \'readout\' of {OPTION} is a read-out")\n',
        encoding="utf-8",
    )
    lines = sorted(check_prose.findings_in_code(module))
    assert [line for line, _ in lines] == [1, 3, 6]
    assert [what.split(":")[0] for _, what in lines] == ["'Tell whether'", "'mid-plane'", "'read-out'"]
