"""The parts of the documentation site that are code: commands from click, links that leave ``docs/``."""

import sys
from types import SimpleNamespace

import click
import pytest
from source_tree import ROOT

pytest.importorskip("mkdocs")
sys.path.insert(0, str(ROOT / "docs"))

import commands
import hooks


@pytest.mark.parametrize(
    "target, program",
    [("MidlineShiftLogic.cli.main:cli", "midlineshift"), ("midlineshift_training.cli.main:main", "midlineshift-train")],
)
def test_the_reference_has_every_command_and_option(target, program):
    import importlib

    text = commands.reference(target, program)
    module, _, attribute = target.partition(":")
    group = getattr(importlib.import_module(module), attribute)
    context = click.Context(group, **group.context_settings)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command.hidden or f"## `{program} {name}`" in text
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden and "--help" not in option.opts:
                assert option.opts[-1] in text, f"{name} {option.opts[-1]}"
    assert "Sentinel" not in text and "<case>" not in text


def rewritten(markdown: str, page: str = "how-to/page.md") -> str:
    config = SimpleNamespace(
        config_file_path=str(ROOT / "mkdocs.yml"), extra={"repository": "https://example.org/repo"}
    )
    return hooks.on_page_markdown(markdown, SimpleNamespace(file=SimpleNamespace(src_uri=page)), config, None)


def test_links_out_of_the_documentation_lead_to_the_repository():
    assert rewritten("[a](../../LICENSE)") == "[a](https://example.org/repo/blob/main/LICENSE)"
    assert rewritten("[a](../../training)") == "[a](https://example.org/repo/tree/main/training)"
    assert rewritten("[a](../../README.md#licence)") == "[a](https://example.org/repo/blob/main/README.md#licence)"


def test_pictures_of_the_repository_are_shown_from_the_site():
    text = "![a b c](../../Resources/Screenshots/report.png)"
    assert rewritten(text) == "![a b c](../Resources/Screenshots/report.png)"


def test_other_links_stay_as_they_are():
    for text in ("[a](reports.md)", "[a](../reference/midlineshift.md)", "[a](https://example.org)", "[a](../gone.md)"):
        assert rewritten(text) == text
