"""The commands of ``midlineshift-train``: one file a command, imported when it is called."""

from midlineshift_training.cli.main import main

__all__ = ["main"]
