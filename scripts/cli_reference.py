"""Write the command reference, ``docs/cli.md``, from what ``--help`` says: ``python -m scripts.cli_reference``.

With ``--check`` nothing is written, and the exit code is 1 if the file is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from hiprobe.cli.app import app

PATH = Path(__file__).parents[1] / "docs" / "cli.md"


def reference() -> str:
    """Return the reference as Markdown."""
    parts = ["# Command reference\n\nGenerated from `--help` by `make docs`; do not edit.\n"]
    for words in _commands(get_command(app), []):
        result = CliRunner().invoke(
            app, [*words, "--help"], prog_name="hiprobe", terminal_width=100, env={"COLUMNS": "100"}
        )
        text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        parts.append(f"## {' '.join(['hiprobe', *words])}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def _commands(command: Any, words: list[str]) -> Iterator[list[str]]:
    """Yield the words of a command and of all below it."""
    yield words
    for name in sorted(getattr(command, "commands", {})):
        yield from _commands(command.commands[name], [*words, name])


def main() -> None:
    """Write the reference, or check it."""
    text = reference()
    if "--check" not in sys.argv:
        PATH.write_text(text, encoding="utf-8")
    elif not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
        sys.exit(f"{PATH} is stale; run `make docs`.")


if __name__ == "__main__":
    main()
