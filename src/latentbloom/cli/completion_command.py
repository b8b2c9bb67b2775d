"""`latentbloom completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")

_PLACES = frozenset(("source", "run", "runs"))
"""Arguments that are files or folders, although they are no `Path`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "Once, for all new shells:\n"
        "  bash:  latentbloom completion bash > ~/.local/share/bash-completion/completions/"
        "latentbloom\n"
        '  zsh:   latentbloom completion zsh > "${fpath[1]}/_latentbloom"\n'
        "  fish:  latentbloom completion fish > ~/.config/fish/completions/latentbloom.fish"
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell the script is for")


def run(args: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    import shtab

    print(shtab.complete(whole_parser(), args.shell))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """One parser of all commands, as shtab reads it."""
    import shtab

    from latentbloom.cli.main import COMMANDS, command_module
    from latentbloom.presets import PRESETS

    top = argparse.ArgumentParser(prog="latentbloom", allow_abbrev=False)
    top.add_argument("--version", action="version", version="", help="show the version")
    commands = top.add_subparsers()
    for name, summary in COMMANDS.items():
        parser = commands.add_parser(name, help=summary, allow_abbrev=False)
        command_module(name).add_arguments(parser)
        for action in parser._actions:
            if action.type is Path or action.dest in _PLACES:
                vars(action)["complete"] = shtab.FILE
            if action.dest == "preset":
                action.choices = tuple(PRESETS)
    return top
