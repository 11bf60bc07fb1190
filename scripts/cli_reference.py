"""Write the command reference, ``docs/cli.md``, from the commands themselves: ``python -m scripts.cli_reference``.

With ``--check`` nothing is written, and the exit code is 1 if the file is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from typer.main import get_command

from hiprobe.cli.app import app
from hiprobe.cli.options import PANELS
from hiprobe.cli.settings import type_of

PATH = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """# Command reference

Generated from the commands by `make docs`; do not edit. `-h` or `--help` after any command says the same. Options can
also stand in a file: see [settings](settings.md).
"""

_NAMES = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}
"""What stands for a value, by its type."""


def reference() -> str:
    """Return the reference as Markdown."""
    return "\n".join([HEAD, *(_section(command, words) for words, command in commands(get_command(app), ["hiprobe"]))])


def commands(command: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Yield a command and all below it, each with its words."""
    yield words, command
    for name in sorted(getattr(command, "commands", {})):
        yield from commands(command.commands[name], [*words, name])


def _section(command: Any, words: list[str]) -> str:
    """Return what is said of a command: its use, its text, its commands, and a table of each panel."""
    below = getattr(command, "commands", {})
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    usage = [*words, "[OPTIONS]", *(_argument(item) for item in arguments), *(["COMMAND"] if below else [])]
    paragraphs = inspect.cleandoc(command.help).split("\n\n")
    parts = [f"## {' '.join(words)}", f"    {' '.join(usage)}", *(" ".join(text.split()) for text in paragraphs)]
    if below:
        first = {name: inspect.cleandoc(item.help).split("\n\n")[0] for name, item in sorted(below.items())}
        parts.append(_table(("command", "what"), [(f"`{name}`", text) for name, text in first.items()]))
    if arguments:
        rows = [(f"`{_argument(item)}`", _what(item), _default(item)) for item in arguments]
        parts.append(_table(("argument", "what", "default"), rows))
    hints = get_type_hints(command.callback)
    for panel in (None, *PANELS):
        rows = [(_names(item, hints), _what(item), _default(item)) for item in options if item.rich_help_panel == panel]
        if rows:
            parts.append(_table((panel or "Options", "what", "default"), rows))
    return "\n\n".join(parts) + "\n"


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs != 1 else "")


def _names(option: Any, hints: dict[str, Any]) -> str:
    """Return the names of an option, the short one last, and what stands for its value."""
    names = sorted([*option.opts, *option.secondary_opts], key=lambda name: not name.startswith("--"))
    value = "" if option.is_flag else f" {option.metavar or _NAMES[type_of(hints[option.name])[0]]}"
    return ", ".join(f"`{name}{value if name.startswith('--') else ''}`" for name in names)


def _what(parameter: Any) -> str:
    """Return what a parameter is for, with the variable that sets it and the range of its number."""
    more = [f"Also by the variable `{parameter.envvar}`."] if parameter.envvar else []
    if parameter.min is not None and parameter.max is not None:
        more.append(f"From {parameter.min} to {parameter.max}.")
    elif parameter.min is not None:
        more.append(f"At least {parameter.min}.")
    return " ".join([parameter.help, *more])


def _default(parameter: Any) -> str:
    """Return what holds if a parameter is not given: in words, or the value as it would be given."""
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    default = parameter.default
    if default is None or (default is False and not parameter.secondary_opts):
        return ""
    if isinstance(default, bool):
        return f"`{(parameter.opts if default else parameter.secondary_opts)[0]}`"
    return ", ".join(f"`{value}`" for value in (default if isinstance(default, list | tuple) else [default]))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> None:
    """Write the reference, or check it."""
    text = reference()
    if "--check" not in sys.argv:
        PATH.write_text(text, encoding="utf-8")
    elif not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
        sys.exit(f"{PATH} is stale; run `make docs`.")


if __name__ == "__main__":
    main()
