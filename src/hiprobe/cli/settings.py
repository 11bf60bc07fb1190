"""``hiprobe.toml``: options for every run in a folder. The command line beats it; see docs/settings.md.

A table for each command holds its options by their long names; ``[model]`` holds for every command that takes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from typer.core import TyperCommand, TyperGroup

from hiprobe.cli.options import ADVANCED
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError

FILE = Path("hiprobe.toml")

SHARED = ("model", "dtype", "device", "device_map", "quantize", "pixels", "revision", "offline")
"""What ``[model]`` may hold."""

REFUSED = {
    "trust_remote_code": "code that comes with a checkpoint could run",
    "allow": "a server could show other folders",
    "host": "a server could be open to other machines",
    "token": "whoever wrote the file would know it",
}
"""What a folder of somebody else's must not decide, by what could happen."""

RIVALS = (("threshold", "false_alarms"), ("false_alarms", "threshold"))
"""Options that say the same in two ways: one on the command line beats the other in the file."""

_WANTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Path: "a path in quotes",
}

_IN_TOML = {float: (int, float), Path: str}
"""Types of TOML by an option's, where they are not the same."""


class Command(TyperCommand):
    """A command that says which of its settings came from the file."""

    def invoke(self, ctx: Any) -> Any:
        """Say what came from the file, and run."""
        for beaten, given in RIVALS:
            if (_source(ctx, beaten), _source(ctx, given)) == ("DEFAULT_MAP", "COMMANDLINE"):
                ctx.params[beaten] = None
        silent = ctx.params.get("quiet") or ctx.params.get("as_json")
        if ctx.default_map and not silent:
            taken = [
                f"{option.key} = {json.dumps(ctx.params[option.name], default=str)}"
                for option in options_of(self).values()
                if _source(ctx, option.name) == "DEFAULT_MAP" and ctx.params[option.name] is not None
            ]
            if taken:
                Printer(quiet=False).line(f"from {FILE}: {', '.join(taken)}")
        return super().invoke(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``, in the last panel."""
        option: Any = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = ADVANCED
        return option


@dataclass(frozen=True)
class Option:
    """An option of a command: its key in the file, its parameter, and the type of its value, or of each of several.

    ``number`` is whether a text may also be a number.
    """

    key: str
    name: str
    type: Any
    several: bool
    number: bool = False


@dataclass(frozen=True)
class Setting:
    """A line of the file: the table that it stands in, its name, its value."""

    table: str
    name: str
    value: Any

    def __post_init__(self) -> None:
        if self.key in REFUSED:
            option = self.key.replace("_", "-")
            raise UsageError(
                f"{self}: a file must not set this, as {REFUSED[self.key]}; give --{option} to the command."
            )

    def __str__(self) -> str:
        return f"{FILE}: [{self.table}] {self.name}"

    @property
    def key(self) -> str:
        """The name as parameters are written: an option's dashes may stay in the file."""
        return self.name.replace("-", "_")

    def of(self, option: Option) -> Any:
        """Return the value for an option. Raises UsageError if its type is another."""
        values = self.value if option.several and isinstance(self.value, list) else [self.value]
        for value in values:
            fits = isinstance(value, _IN_TOML.get(option.type, option.type))
            fits |= option.number and isinstance(value, int | float)
            if not fits or (isinstance(value, bool) and option.type is not bool):
                more = ", or a list of such" if option.several else ""
                raise UsageError(f"{self} is {json.dumps(value, default=str)}; give {_WANTED[option.type]}{more}.")
        return values if option.several else self.value


def read_settings(root: TyperGroup) -> dict[str, Any]:
    """Return the defaults that the file sets, by command and parameter, as click's ``default_map``.

    Raises
    ------
    UsageError
        If the file cannot be read, or a table, a key or a type is wrong.
    """
    import tomllib

    try:
        tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # of Unicode and TOML too
        raise UsageError(f"{FILE}: cannot be read ({error}); mend it, or take it out of this folder.") from error
    shared = _settings("model", tables.pop("model", {}))
    for setting in shared:
        _check_known(setting, SHARED)
    return _of_group(root, tables, "", shared)


def options_of(command: Any) -> dict[str, Option]:
    """Return the options of a command, by key."""
    hints = get_type_hints(command.callback)
    found = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            key = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
            number = "NUMBER" in (parameter.metavar or "")
            found[key] = Option(key, parameter.name, *type_of(hints[parameter.name]), number)
    return found


def _source(ctx: Any, name: str) -> str | None:
    """Return where the value of a parameter came from."""
    return getattr(ctx.get_parameter_source(name), "name", None)


def type_of(hint: Any) -> tuple[Any, bool]:
    """Return the type of an option's value by its annotation, and whether the option takes several."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (item for item in get_args(hint) if item is not type(None))
    if get_origin(hint) is list:
        return type_of(get_args(hint)[0])[0], True
    return hint, False


def _of_group(group: TyperGroup, tables: dict[str, Any], above: str, shared: Sequence[Setting]) -> dict[str, Any]:
    """Return the defaults of a group's commands."""
    names = {name: f"{above}{name}" for name in sorted(group.commands)}
    unknown = next((name for name in tables if name not in names), None)
    if unknown is not None:
        known = ", ".join(f"[{name}]" for name in [*([] if above else ["model"]), *names.values()])
        raise UsageError(f"{FILE}: [{above}{unknown}] is no table that is known; there are {known}.")
    defaults: dict[str, Any] = {}
    for name, path in names.items():
        command, table = group.commands[name], tables.get(name, {})
        if isinstance(command, TyperGroup):
            defaults[name] = _of_group(command, _table(path, table), f"{path}.", shared)
        else:
            defaults[name] = _of_command(command, _settings(path, table), shared)
    return defaults


def _of_command(command: Any, own: Sequence[Setting], shared: Sequence[Setting]) -> dict[str, Any]:
    """Return the defaults of a command: what all share, then its own."""
    known = options_of(command)
    for setting in own:
        _check_known(setting, [key for key in known if key not in REFUSED])
    taken = [setting for setting in (*shared, *own) if setting.key in known]
    return {known[setting.key].name: setting.of(known[setting.key]) for setting in taken}


def _check_known(setting: Setting, keys: Sequence[str]) -> None:
    if setting.key not in keys:
        raise UsageError(f"{setting}: there is no such setting; there are {', '.join(keys)}.")


def _settings(name: str, table: Any) -> list[Setting]:
    return [Setting(name, key, value) for key, value in _table(name, table).items()]


def _table(name: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{FILE}: {name} is {json.dumps(table, default=str)}; give a table, [{name}].")
    return table
