"""What the documentation names exists: options, modules, files, links, rooms."""

from __future__ import annotations

import importlib.util
import re
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from latentbloom.cli.main import COMMANDS
from latentbloom.cli.options.settings import iter_settings
from tests.docs.test_code_blocks import PAGES
from tests.docs.workshop import ROOT, command_parser

TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
OTHER_OPTIONS = {
    *("--nproc_per_node", "--cpu", "--num_processes", "--constraint", "--editable"),
    *("--logdir", "--spec"),
}
"""Options of torchrun, accelerate, pip, TensorBoard and pipx."""


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def options() -> set[str]:
    found = {word for name in COMMANDS for word in command_parser(name)._option_string_actions}
    found |= {"--version", "--help", *OTHER_OPTIONS}
    for path in (ROOT / "main.py", *(ROOT / "bench").glob("*.py")):
        found |= set(re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("path", PAGES)
class TestPage:
    def test_options(self, path: str, options: set[str]) -> None:
        named = re.findall(r"(?<![\w|<-])--[a-z][\w.-]*\w", re.sub(r"<!--|-->", "", TEXTS[path]))
        assert sorted({word for word in named if word not in options}) == []

    def test_modules(self, path: str) -> None:
        for name in set(re.findall(r"(?<![\w/.-])latentbloom(?:\.\w+)+", TEXTS[path])):
            assert exists(name), f"{path} names {name}"

    def test_paths(self, path: str) -> None:
        for named in set(re.findall(r"`((?:src|tests|docs|bench)/[\w./-]+)`", TEXTS[path])):
            assert (ROOT / named).exists(), f"{path} names {named}"

    def test_links(self, path: str) -> None:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", TEXTS[path]):
            if not target.startswith("http"):
                assert ((ROOT / path).parent / target).exists(), f"{path} links to {target}"


def exists(name: str) -> bool:
    """Whether a dotted name can be imported, its last parts perhaps attributes."""
    module, *parts = name.split(".")
    found: Any = import_module(module)
    for part in parts:
        module = f"{module}.{part}"
        if not hasattr(found, part):
            try:
                import_module(module)
            except ModuleNotFoundError:
                return False
        found = getattr(found, part)
    return True


class TestReadme:
    def test_is_short(self) -> None:
        assert len(TEXTS["README.md"].split()) <= 600

    def test_has_one_small_table(self) -> None:
        tables = re.findall(r"(?:^\|.*\n)+", TEXTS["README.md"], re.MULTILINE)
        assert len(tables) == 1
        rows = tables[0].splitlines()
        assert len(rows) - 2 <= 8
        assert rows[0].count("|") - 1 <= 5


class TestHouse:
    def test_diagrams_are_up_to_date(self) -> None:
        diagrams = script("diagrams")
        for name, draw in diagrams.DIAGRAMS.items():
            written = (diagrams.IMAGES / name).read_text(encoding="utf-8")
            assert written == draw(), f"{name} is old: run python docs/diagrams.py"

    def test_contributing_has_every_room(self) -> None:
        diagrams = script("diagrams")
        rooms = [room for layer in diagrams.layers() for room in layer]
        assert list(diagrams.rooms()) == rooms


class TestReference:
    def test_has_every_command_and_option(self) -> None:
        page = script("reference_pages").commands()
        for name in COMMANDS:
            assert f"## `latentbloom {name}`" in page
        for option in ("--minutes", "--cond", "--against", "--frames", "--map"):
            assert option in page

    def test_has_every_setting(self) -> None:
        page = script("reference_pages").settings()
        for setting in iter_settings():
            assert f"| `{setting.name}` | {setting.allowed.replace('|', chr(92) + '|')} |" in page

    def test_every_generated_part_is_used(self) -> None:
        used = {name for text in TEXTS.values() for name in re.findall(r"generated: (\w+)", text)}
        assert used == set(script("reference_pages").GENERATED)
