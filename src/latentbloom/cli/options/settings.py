"""Every setting of a run as an option of the command line: `--diffusion.lr 1e-4`."""

from __future__ import annotations

import argparse
import json
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from latentbloom.config import LABEL_SETTINGS, SOURCE_SETTINGS, RunConfig

if TYPE_CHECKING:
    from rich.console import RenderableType

CHOSEN = "chosen for you"
_WORDS = {int: "whole number", float: "number", bool: "true|false", str: "text"}
_SIGNS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "multiple_of": "a multiple of",
}


@dataclass(frozen=True)
class Setting:
    """One field of `RunConfig`.

    Arguments:
        name: Its dotted name, for example "diffusion.lr".
        kind: Its type with its bounds, as pydantic reads it.
        default: Its default; None where it is chosen from the data and the machine.
        description: What it does.
    """

    name: str
    kind: Any
    default: Any
    description: str

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        return " or ".join(dict.fromkeys(_in_words(self.kind)))

    def parse(self, text: str) -> Any:
        """The value that a word of the command line stands for.

        Raises:
            argparse.ArgumentTypeError: The value is not allowed.
        """
        for value in _readings(text):
            try:
                return TypeAdapter(self.kind).validate_python(value)
            except ValidationError:
                continue
        raise argparse.ArgumentTypeError(f"'{text}' is not allowed. Allowed: {self.allowed}.")


def iter_settings(model: type[BaseModel] = RunConfig, prefix: str = "") -> Iterator[Setting]:
    """All settings, sections in order."""
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is None:
            kind: Any = field.annotation
            for bound in field.metadata:
                kind = Annotated[kind, bound]
            yield Setting(f"{prefix}{name}", kind, field.default, field.description or "")
            continue
        for setting in iter_settings(section, f"{prefix}{name}."):
            # A section without a default is chosen as a whole, and then changed by its options.
            yield setting if field.default is not None else replace(setting, default=None)


def find_setting(name: str) -> Setting:
    """The setting of that dotted name."""
    return next(setting for setting in iter_settings() if setting.name == name)


def add_setting(
    parser: argparse._ActionsContainer, flag: str, name: str, description: str | None = None
) -> None:
    """Declare a short flag for a setting; one that is off by default takes no value."""
    setting = find_setting(name)
    if setting.kind is bool and setting.default is False:
        parser.add_argument(
            flag,
            dest=name,
            action="store_true",
            default=argparse.SUPPRESS,
            help=description or setting.description,
        )
        return
    parser.add_argument(
        flag,
        dest=name,
        type=setting.parse,
        default=argparse.SUPPRESS,
        metavar=_metavar(setting),
        help=description or setting.description,
    )


def add_source_settings(parser: argparse.ArgumentParser) -> None:
    """Declare the short flags of the settings that belong to a SOURCE."""
    group = parser.add_argument_group("options of SOURCE")
    for name in (*SOURCE_SETTINGS, *LABEL_SETTINGS):
        add_setting(group, f"--{name.replace('_', '-')}", f"data.{name}")


def add_all_settings(parser: argparse.ArgumentParser) -> None:
    """Declare every setting by its dotted name; `--help-config` lists them, `--help` does not."""
    for setting in iter_settings():
        parser.add_argument(
            f"--{setting.name}",
            dest=setting.name,
            type=setting.parse,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def overrides_of(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given on the command line, by dotted name."""
    given = vars(args)
    return {s.name: given[s.name] for s in iter_settings() if s.name in given}


def settings_table() -> RenderableType:
    """A table of all settings."""
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "allowed", "default", "what it is", box=None, pad_edge=False)
    section = ""
    for setting in iter_settings():
        if section and setting.name.partition(".")[0] != section:
            table.add_row()
        section = setting.name.partition(".")[0]
        table.add_row(
            Text(f"--{setting.name}", style="bold", no_wrap=True),
            Text(setting.allowed),
            Text(CHOSEN if setting.default is None else _spell(setting.default)),
            Text(setting.description),
        )
    return table


def _readings(text: str) -> Iterator[Any]:
    """The values that a word can stand for, the likeliest first."""
    yield text
    try:
        yield json.loads(text)
    except ValueError:
        if text.lower() == "none":
            yield None


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kinds = get_args(field.annotation) or (field.annotation,)
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _in_words(kind: Any) -> Iterator[str]:
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *bounds = get_args(kind)
        limits = _limits(bounds)
        for words in _in_words(inner):
            yield words if words == "none" else f"{words} {limits}".strip()
    elif origin is Literal:
        yield "|".join(_spell(value) for value in get_args(kind))
    elif origin in (Union, types.UnionType):
        for part in get_args(kind):
            yield from _in_words(part)
    elif origin is tuple:  # of numbers of one kind
        words, _, limits = next(_in_words(get_args(kind)[0])).partition(" ")
        yield f"{','.join([words] * len(get_args(kind)))} {limits}".strip()
    elif kind is type(None):
        yield "none"
    else:
        yield _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _limits(bounds: list[Any]) -> str:
    """Bounds in words, for example "from 1 to 64 and a multiple of 8"."""
    parts = [part for bound in bounds for part in getattr(bound, "metadata", [bound])]
    found = {
        name: limit
        for part in parts
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if (limit := getattr(part, name, None)) is not None
    }
    words = []
    if {"ge", "le"} <= found.keys():
        words.append(f"from {_number(found.pop('ge'))} to {_number(found.pop('le'))}")
    words += [f"{sign} {_number(found[name])}" for name, sign in _SIGNS.items() if name in found]
    return " and ".join(words)


def _number(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _metavar(setting: Setting) -> str:
    words = [word for word in _in_words(setting.kind) if word != "none"]
    if words == [_WORDS[str]]:
        return setting.name.rpartition(".")[2].upper()
    return words[0] if len(words) == 1 and "|" in words[0] else "N"


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
