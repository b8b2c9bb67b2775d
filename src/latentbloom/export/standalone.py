"""One Python file from modules of this package, so that an export runs without it.

The exported networks and samplers are the code of this package itself, not a copy that somebody
must keep equal. Imports between the modules are removed and their bodies are put one after
another; what a module is imported for its types alone stays out.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

TYPES_ONLY = ("latentbloom.config",)
"""Modules whose names appear in annotations alone, which are never evaluated."""

TYPE_ALIASES = ("Cond", "LatentShape", "Shape")
"""Names that several modules may define, each time for a type."""


def standalone_source(module: str, docstring: str) -> str:
    """The source of a module and of all modules of this package that it imports.

    Arguments:
        module: Dotted name.
        docstring: Of the resulting file.

    Returns:
        Python source that imports other packages alone.

    Raises:
        ValueError: Two modules define the same name.
    """
    order: list[str] = []
    _collect(module, order)
    imports: dict[str, None] = {}
    bodies = []
    owners: dict[str, str] = {}
    for name in order:
        text = _path(name).read_text(encoding="utf-8")
        tree = ast.parse(text)
        removed: set[int] = set()
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                _remove(node, removed)
                if not _ours(node) and not _future(node):
                    imports[ast.unparse(node)] = None
            elif _only_types(node) or _docstring(node) or _all(node):
                _remove(node, removed)
            for defined in _names(node):
                if owners.setdefault(defined, name) == name:
                    continue
                if defined not in TYPE_ALIASES:
                    raise ValueError(f"{name} and {owners[defined]} both define {defined}.")
                _remove(node, removed)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _ours(node):
                _remove(node, removed)
        lines = text.splitlines()
        kept = [line for number, line in enumerate(lines, 1) if number not in removed]
        bodies.append("\n".join(kept).strip())
    head = [f'"""{docstring}"""', "", "from __future__ import annotations", "", *sorted(imports)]
    return "\n".join(head) + "\n\n\n" + "\n\n\n".join(body for body in bodies if body) + "\n"


def _collect(module: str, order: list[str]) -> None:
    """The module after those that it needs."""
    if module in order or module in TYPES_ONLY:
        return
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    types = {id(n) for node in tree.body if _only_types(node) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node) and id(node) not in types:
            assert node.module is not None
            _collect(node.module, order)
    if module not in order:
        order.append(module)


def _path(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def _remove(node: ast.stmt, removed: set[int]) -> None:
    assert node.end_lineno is not None
    removed.update(range(node.lineno, node.end_lineno + 1))


def _ours(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("latentbloom")


def _future(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _only_types(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and "__all__" in _names(node)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
