"""`latentbloom edit`: change one condition of real pictures, or morph between two of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from latentbloom.cli.options.numbers import MOST_GUIDANCE, number_from, sample_seed, whole_number
from latentbloom.errors import ConditionError, ConfigError
from latentbloom.model.editing.defaults import STRENGTH
from latentbloom.words import plural

METHODS = ("flowedit", "shift", "sdedit", "ddim")
"""Written out, so that --help imports nothing slow; a test compares them with the methods."""

EXIT_SOME_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "latentbloom edit RUN PICTURE ... --to NAME=VALUE [options]"
    parser.epilog = (
        "Pictures are cropped and resized as in training. Exit code 1: some could not be read.\n"
        "  latentbloom edit runs/faces me.jpg --to smiling=yes --strip\n"
        "  latentbloom edit runs/faces me.jpg you.jpg --morph"
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that `fit` made")
    parser.add_argument(
        "pictures", type=Path, nargs="+", metavar="PICTURE", help="files, or folders of pictures"
    )
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what to change; repeat it for several conditions, or write A=x,B=y",
    )
    parser.add_argument(
        "--from",
        action="append",
        default=[],
        dest="source",
        metavar="NAME=VALUE",
        help="what the pictures show (default: found by the model, and said)",
    )
    parser.add_argument(
        "--strength",
        type=number_from(0.0, 1.0),
        default=STRENGTH,
        metavar="S",
        help=f"how far to go, 0 to 1 (default: {STRENGTH:g})",
    )
    parser.add_argument(
        "--strip",
        action="store_true",
        help="also write one PNG with the strengths 0, 0.2, ... 1 of each picture",
    )
    parser.add_argument(
        "--morph",
        action="store_true",
        help="pictures between the two that are given, instead of an edit",
    )
    parser.add_argument(
        "--morph-steps",
        type=whole_number(2, 1000),
        default=8,
        metavar="N",
        help="pictures of a morph, both ends included (default: 8)",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help=f"default: {METHODS[0]}; the others are there to compare",
    )
    parser.add_argument(
        "--guidance",
        type=number_from(0.0, MOST_GUIDANCE),
        metavar="W",
        help="how strongly what changes is asked for, 1 plain (default: the method's)",
    )
    parser.add_argument("--seed", type=sample_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--raw",
        action="store_true",
        help="show the decoded latent; default: the original and the change, which keeps detail",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN/edits")


def run(args: argparse.Namespace) -> int:
    """Edit the pictures; returns the exit code."""
    from rich.console import Console

    from latentbloom.model.editing.edit_files import (
        EditRequest,
        describe,
        edit_files,
        morph_files,
        picture_files,
    )
    from latentbloom.model.generator import load

    console = Console()
    faults: list[str] = []

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def fault(text: str) -> None:
        faults.append(text)
        print(f"latentbloom: {text}", file=sys.stderr)

    if bool(args.to) == args.morph:
        raise ConditionError(
            "Say either what to change, as in --to smiling=yes, or --morph for the pictures "
            "between two."
        )
    model = load(args.run)
    to, source = model.spec.parse(args.to), model.spec.parse(args.source)
    out = args.out or args.run / "edits"
    paths = picture_files(args.pictures, fault)
    if args.morph:
        if len(paths) != 2:
            raise ConfigError(
                f"A morph takes two pictures; {plural(len(paths), 'is', 'are')} given."
            )
        say(str(morph_files(model, paths, args.morph_steps, out)))
        return EXIT_SOME_FAILED if faults else 0
    request = EditRequest(
        to,
        source,
        args.strength,
        args.method,
        guidance=args.guidance,
        seed=args.seed,
        raw=args.raw,
        strip=args.strip,
    )
    done, notes = 0, set[str]()
    for edited in edit_files(model, paths, request, out, on_fault=fault):
        done += 1
        say(describe(edited, to))
        if edited.fitted.note and edited.fitted.note not in notes:
            notes.add(edited.fitted.note)
            say(f"  {edited.fitted.note}")
    say(f"{plural(done, 'picture')} in {out}" + (f", {len(faults)} failed" if faults else ""))
    return EXIT_SOME_FAILED if faults else 0
