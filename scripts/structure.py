"""How a checkout of HiProbe is built, in figures, by the standard library's ``ast`` alone; no code of it runs.

    python -m scripts.structure OLD_CHECKOUT NEW_CHECKOUT

Prints a Markdown table with a column for each checkout. A parameter counts as handed on where the body uses it only
as an argument of calls, by its own name or at its own position. Functions without a body are not counted.
Imports within functions make no circle.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PARAMETERS = (
    "seed", "prompt", "frames", "settings", "seconds", "fps", "report", "store", "pooling", "run", "video", "reading"
)  # fmt: skip

LONG_FILE = 350

PACKAGE = "hiprobe"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Module:
    """A file of the package.

    Attributes
    ----------
    path : Path
        Below the package's folder.
    name : str
        As it is imported.
    lines : int
        Of its text.
    tree : ast.Module
        What it says.
    """

    path: Path
    name: str
    lines: int
    tree: ast.Module

    @property
    def classes(self) -> list[ast.ClassDef]:
        """All classes in it."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]

    @property
    def functions(self) -> list[Function]:
        """All functions and methods in it that do something."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function) and not _is_stub(node)]


def read_modules(checkout: Path) -> list[Module]:
    """Return every module of a checkout's package."""
    root = checkout / "src" / PACKAGE
    modules = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        below = path.relative_to(root)
        parts = [PACKAGE, *below.with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(below, name, len(text.splitlines()), ast.parse(text)))
    if not modules:
        raise SystemExit(f"{root}: holds no Python; name a checkout.")
    return modules


def figures(modules: list[Module]) -> dict[str, str]:
    """Return every row of the table: what is counted, and the figure."""
    stand_in = stand_ins(modules)
    tests = probe_tests(modules)
    circles = import_circles(modules)
    long = [f"{module.path.as_posix()} ({module.lines})" for module in modules if module.lines > LONG_FILE]
    where, longest = longest_parameters(modules)
    found = {
        "files": str(len(modules)),
        "lines": str(sum(module.lines for module in modules)),
        "protocols named ...Backbone": _listed(backbone_protocols(modules)),
        "classes that stand in for a backbone": _listed(stand_in),
        "isinstance of a probe class, where none is loaded": _listed(tests),
        "longest parameter list outside cli": f"{longest}: {where}",
        "import circles": _listed(circles),
        f"files over {LONG_FILE} lines": _listed(long),
    }
    known = call_positions(modules)
    for name in PARAMETERS:
        takers = [function for module in modules for function in module.functions if name in parameters(function)]
        handing = [function for function in takers if only_hands_on(function, name, known)]
        found[f"functions that take `{name}`; only hand it on"] = f"{len(takers)}; {len(handing)}"
    return found


def backbone_protocols(modules: list[Module]) -> list[str]:
    """Return the protocols whose name ends in Backbone."""
    classes = [cls for module in modules for cls in module.classes]
    return [cls.name for cls in classes if cls.name.endswith("Backbone") and _is_protocol(cls)]


def stand_ins(modules: list[Module]) -> list[str]:
    """Return the classes that meet the backbone's protocol and are no backbone, and their subclasses."""
    found: dict[str, str] = {}
    candidates = [
        (module, cls)
        for module in modules
        if module.path.parts[:2] not in (("backbones", "embedded"), ("backbones", "huggingface.py"))
        for cls in module.classes
        if not _is_protocol(cls)
    ]
    grown = True
    while grown:
        grown = False
        for module, cls in candidates:
            methods = {node.name for node in cls.body if isinstance(node, Function)}
            is_one = "generate" in methods and bool(methods & {"hidden_states", "read"})
            if cls.name not in found and (is_one or any(_last_name(base) in found for base in cls.bases)):
                found[cls.name] = f"{module.path.as_posix()}:{cls.name}"
                grown = True
    return sorted(found.values())


def probe_tests(modules: list[Module]) -> list[str]:
    """Return where code asks for the class of a probe, outside files that load probes."""
    found = []
    for module in modules:
        if _loads_probes(module):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _last_name(node.func) == "isinstance" and len(node.args) == 2:
                names = {_last_name(part) for part in ast.walk(node.args[1])}
                if any(name.endswith("Probe") for name in names):
                    found.append(f"{module.path.as_posix()}:{node.lineno}")
    return found


def longest_parameters(modules: list[Module]) -> tuple[str, int]:
    """Return the function with most parameters outside the command line, and how many."""
    counted = [
        (len(parameters(function)), f"{module.path.as_posix()}:{function.name}")
        for module in modules
        if module.path.parts[0] != "cli"
        for function in module.functions
    ]
    count, where = max(counted, key=lambda item: item[0])
    return where, count


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters; self and cls are left out."""
    given = function.args
    more = [argument for argument in (given.vararg, given.kwarg) if argument]
    return [*_positional(function), *(argument.arg for argument in [*given.kwonlyargs, *more])]


def call_positions(modules: list[Module]) -> dict[str, set[tuple[int, str]]]:
    """Return the positional parameters of what can be called, by the last part of its name."""
    known: dict[str, set[tuple[int, str]]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                known.setdefault(node.name, set()).update(enumerate(_positional(node)))
            elif isinstance(node, ast.ClassDef):
                made = [item for item in node.body if isinstance(item, Function) and item.name == "__init__"]
                fields = [item.target for item in node.body if isinstance(item, ast.AnnAssign)]
                names = _positional(made[0]) if made else [_last_name(target) for target in fields]
                known.setdefault(node.name, set()).update(enumerate(names))
    return known


def only_hands_on(function: Function, name: str, known: dict[str, set[tuple[int, str]]]) -> bool:
    """Return whether a function uses a parameter, and only as the same argument of what it calls."""
    uses, handed = 0, 0
    for node in (node for statement in function.body for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and node.id == name:
            uses += 1
        elif isinstance(node, ast.Call):
            handed += sum(keyword.arg == name and _is_name(keyword.value, name) for keyword in node.keywords)
            places = known.get(_last_name(node.func), set())
            handed += sum((at, name) in places and _is_name(item, name) for at, item in enumerate(node.args))
    return uses > 0 and uses == handed


def import_circles(modules: list[Module]) -> list[str]:
    """Return the groups of modules that import each other when they are loaded."""
    names = {module.name for module in modules}
    edges = {module.name: set(_imports(module, names)) for module in modules}
    reached = {name: _reachable(name, edges) for name in edges}
    circles = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in edges if name in reached[name]
    }
    return sorted(" + ".join(sorted(circle)) for circle in circles)


def _imports(module: Module, names: set[str]) -> Iterator[str]:
    """Give the modules of the package that a module imports as it is loaded."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in _loaded(module.tree.body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in names or base in names:
                    yield inner if inner in names else base


def _loaded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Give the statements that run when a module is loaded, save those for type checkers."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _loaded(node.orelse)
        elif not isinstance(node, Function):
            for name in ("body", "orelse", "finalbody"):
                yield from _loaded(getattr(node, name, []))
            for handler in getattr(node, "handlers", []):
                yield from _loaded(handler.body)


def _reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges[name]
    return found


def _is_protocol(cls: ast.ClassDef) -> bool:
    # Protocol[T] is one, too.
    return any(_last_name(base.value if isinstance(base, ast.Subscript) else base) == "Protocol" for base in cls.bases)


def _is_stub(function: Function) -> bool:
    """Return whether there is nothing but a docstring, ``...`` or ``pass``."""
    return all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _loads_probes(module: Module) -> bool:
    functions = {node.name for node in module.functions}
    loading = [cls for cls in module.classes if cls.name.endswith("Probe") and _has_method(cls, "load")]
    return bool(functions & {"load_probe", "read_probe"} or loading)


def _has_method(cls: ast.ClassDef, name: str) -> bool:
    return any(isinstance(node, Function) and node.name == name for node in cls.body)


def _positional(function: Function) -> list[str]:
    names = [argument.arg for argument in [*function.args.posonlyargs, *function.args.args]]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _last_name(node: ast.AST) -> str:
    """Return ``c`` of ``a.b.c`` or of ``c``; else nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _listed(items: list[str]) -> str:
    return f"{len(items)}: {', '.join(items)}" if items else "0"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="+", help="folders of checkouts")
    checkouts: list[Path] = parser.parse_args().checkouts
    columns = [figures(read_modules(checkout)) for checkout in checkouts]
    print("| | " + " | ".join(checkout.resolve().name for checkout in checkouts) + " |")
    print("| --- |" + " --- |" * len(columns))
    for what in columns[0]:
        print(f"| {what} | " + " | ".join(column[what] for column in columns) + " |")


if __name__ == "__main__":
    main()
