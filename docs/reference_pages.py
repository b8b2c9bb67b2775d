"""Fills the reference pages from the code when the documentation is built.

A line `<!-- generated: NAME -->` in a page is replaced by the Markdown that a function below makes,
so that options, settings, presets and drawings are always those of the code.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from itertools import groupby
from typing import Any


def commands() -> str:
    """Every command, its usage and its options, from the parsers of `latentbloom.cli`."""
    from latentbloom.cli.main import COMMANDS

    sections = []
    for name, summary in COMMANDS.items():
        parser = command_parser(name)
        usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
        lines = [f"## `latentbloom {name}`", "", f"{_sentence(summary)}.", ""]
        lines += ["```text", usage, "```", ""]
        for group in parser._action_groups:
            rows = [_option(action) for action in group._group_actions if _shown(action)]
            if rows:
                title = (
                    group.title if group.title not in ("positional arguments", "options") else ""
                )
                lines += [f"**{_sentence(title)}**", ""] if title else []
                lines += ["| option | what it does |", "| --- | --- |", *rows, ""]
        sections.append("\n".join(lines))
    return "\n".join(sections)


def settings() -> str:
    """Every setting of `config.json`, by section."""
    from latentbloom.cli.options.settings import CHOSEN, iter_settings

    sections = []
    for section, found in groupby(iter_settings(), key=lambda s: s.name.partition(".")[0]):
        lines = [f"## `{section}`", "", "| setting | allowed | default | what it does |"]
        lines.append("| --- | --- | --- | --- |")
        for s in found:
            default = (
                CHOSEN if s.default is None else f"`{s.default}`" if s.default != "" else "empty"
            )
            lines.append(
                f"| `{s.name}` | {_cell(s.allowed)} | {_cell(default)} | {_cell(s.description)} |"
            )
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def presets() -> str:
    """The ready-made settings."""
    from latentbloom.presets import PRESETS

    lines = ["| preset | what it is | what it needs |", "| --- | --- | --- |"]
    lines += [f"| `{n}` | {_cell(p.summary)} | {_cell(p.needs)} |" for n, p in PRESETS.items()]
    return "\n".join(lines)


def drawings() -> str:
    """What `latentbloom show` draws."""
    from latentbloom.figures.draw import DRAWINGS

    lines = ["| name | what it shows |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(drawing.summary)} |" for name, drawing in DRAWINGS.items()]
    return "\n".join(lines)


def sources() -> str:
    """The sources that are known by name."""
    from latentbloom.data.sources.built_in import BUILT_INS

    lines = ["| source | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(source.summary)} |" for name, source in BUILT_INS.items()]
    return "\n".join(lines)


GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "presets": presets,
    "drawings": drawings,
    "sources": sources,
}


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command, as `latentbloom NAME` builds it."""
    from latentbloom.cli.main import command_module

    parser = argparse.ArgumentParser(prog=f"latentbloom {name}", allow_abbrev=False)
    command_module(name).add_arguments(parser)
    return parser


def _option(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    value = ""
    if action.option_strings and action.nargs != 0:
        value = str(action.metavar or "|".join(map(str, action.choices or ())) or "VALUE")
    words = (action.help or "") % {"default": action.default, "prog": "latentbloom"}
    if action.choices and action.metavar:
        words = f"{words} ({'|'.join(map(str, action.choices))})"
    return f"| `{_cell(f'{names} {value}'.strip())}` | {_cell(_sentence(words))} |"


def _shown(action: argparse.Action) -> bool:
    return action.help is not argparse.SUPPRESS


def _sentence(words: str) -> str:
    """With a capital, unless it begins with names: "celeba, flowers102: ..."."""
    names = re.match(r"[\w, ]+:", words)
    return words if names else words[:1].upper() + words[1:]


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _fill(app: Any, docname: str, source: list[str]) -> None:
    source[0] = re.sub(
        r"^<!-- generated: (\w+) -->$",
        lambda match: GENERATED[match[1]](),
        source[0],
        flags=re.MULTILINE,
    )


def setup(app: Any) -> dict[str, Any]:
    """Called by sphinx."""
    app.connect("source-read", _fill)
    return {"version": "1", "parallel_read_safe": True}
