"""The command line: finds the command, runs it, and turns user errors into exit codes.

Each command is a module `NAME_command.py` in this folder with `add_arguments(parser)` and
`run(args) -> int`. Only the module of the requested command is imported, and it imports PyTorch
and other slow packages inside `run`, so that every `--help` is quick.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from latentbloom.errors import LatentbloomError
from latentbloom.storage.files import reason_of
from latentbloom.threads import bound_spinning
from latentbloom.version import __version__
from latentbloom.words import did_you_mean

EXIT_COULD_NOT = 1  # 2 is for a wrong call: argparse and `LatentbloomError.exit_code` know
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


COMMANDS = {
    "fit": "train a model on labelled pictures, and report on it",
    "sample": "generate new pictures that meet a condition",
    "edit": "change what real pictures show, and keep the rest",
    "audit": "check labelled pictures before training",
    "pack": "write labelled pictures as shards with an index",
    "evaluate": "score a model, with confidence intervals",
    "compare": "put scored runs side by side",
    "show": "draw the figures and the report of a run",
    "app": "open a page to generate, explore and edit",
    "export": "write a model for other programs: ONNX, diffusers, a web page",
    "push": "publish a model on the Hugging Face Hub",
    "demo": "train a first model on pictures that the program renders",
    "presets": "list the ready-made settings",
    "completion": "print a script that completes commands and options in a shell",
}
"""What each command does. `latentbloom.cli.NAME_command` holds its options and runs it."""

PUBLISHING = ("export", "push")
"""Commands whose module lies in `latentbloom.cli.publishing`."""


class CommandModule(Protocol):
    """What every command module has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Run the command; returns the exit code."""
        ...


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the closest known word for an unknown one."""

    def parse_all(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse; unknown words end the program with a message."""
        parsed, unknown = self.parse_known_args(words)
        if unknown:
            word = next((w for w in unknown if w.startswith("-")), unknown[0]).partition("=")[0]
            known = [flag for flag in self._option_string_actions if flag.startswith("--")]
            what = "option" if word.startswith("-") else "argument"
            self.error(f"unknown {what} '{word}'.{did_you_mean(word, known)}")
        return parsed


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code.

    Arguments:
        argv: The words after the program's name; default `sys.argv[1:]`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an odd name must not end a run
    words = sys.argv[1:] if argv is None else list(argv)
    if "fit" not in words[:1]:  # which decides by its settings
        bound_spinning()
    try:
        return _run(words)
    except LatentbloomError as error:
        _print_error(str(error))
        return error.exit_code
    except BrokenPipeError:  # as in `latentbloom presets | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno is None or not error.filename:
            raise  # not about a file: a bug
        _print_error(_about_file(error))
        return EXIT_COULD_NOT
    except KeyboardInterrupt:
        _print_error("interrupted")
        return EXIT_INTERRUPTED


def _run(words: list[str]) -> int:
    name = next((word for word in words if not word.startswith("-")), None)
    top = _top_parser()
    if name is None:
        top.parse_all(words)  # --help and --version end here
        top.print_help()
        return 0
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        top.error(f"unknown command '{name}'.{did_you_mean(name, COMMANDS)} Commands: {known}.")
    before = words[: words.index(name)]
    top.parse_all(before)
    summary = COMMANDS[name]
    module = command_module(name)
    parser = _Parser(
        prog=f"latentbloom {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return module.run(parser.parse_all(words[len(before) + 1 :]))


def command_module(name: str) -> CommandModule:
    """The module of a command in `COMMANDS`."""
    room = "latentbloom.cli.publishing" if name in PUBLISHING else "latentbloom.cli"
    return cast(CommandModule, import_module(f"{room}.{name}_command"))


def _top_parser() -> _Parser:
    width = max(map(len, COMMANDS)) + 2
    lines = (f"  {name:<{width}}{summary}" for name, summary in COMMANDS.items())
    parser = _Parser(
        prog="latentbloom",
        usage="latentbloom [--version] COMMAND ...",
        description="Labelled pictures in; a controllable generative model, its pictures, its "
        "scores and a report out.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n"
        "`latentbloom COMMAND --help` explains a command. A first try that needs no data:\n"
        "  latentbloom demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"latentbloom {__version__}")
    return parser


def _about_file(error: OSError) -> str:
    """What is wrong with a file or a folder, and what to do."""
    advice = {
        errno.ENOSPC: "Free some space, or choose another place.",
        errno.EDQUOT: "Free some space, or choose another place.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
        errno.ENOENT: "Is it still there?",
    }.get(error.errno or 0, "Choose another place with --out, or change its permissions.")
    return f"{reason_of(error)}. {advice}"


def _print_error(message: str) -> None:
    print(f"latentbloom: {message}", file=sys.stderr)
