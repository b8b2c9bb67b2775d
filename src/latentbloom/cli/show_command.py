"""`latentbloom show`: figures and the report of a run, from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from latentbloom.cli.options.numbers import number_above, seed, whole_number
from latentbloom.cli.options.settings import add_source_settings, overrides_of
from latentbloom.words import did_you_mean

EVERYTHING = ("all", "report", "card")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "latentbloom show RUN [WHAT ...] [options]"
    parser.epilog = (
        "WHAT is one or more of: all, report, card, " + ", ".join(_NAMES) + ".\n"
        "Figures are written to RUN/figures, and report.html and README.md are rewritten.\n"
        "  latentbloom show runs/faces animation --cond smiling=yes --frames 50 --size 128"
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that `fit` made")
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help="what to draw (default: all)", type=_name
    )
    parser.add_argument(
        "--cond",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="draw this condition alone, where a drawing has one",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--against",
        metavar="SOURCE",
        help="real pictures to show (default: the held-out pictures of the run)",
    )
    parser.add_argument(
        "--axes",
        choices=("auto", "linear", "log"),
        default="auto",
        help="of the curves (default: auto, logarithmic for what falls over a decade)",
    )
    add_source_settings(parser)
    moving = parser.add_argument_group("animations")
    moving.add_argument(
        "--frames", type=whole_number(2, 10_000), default=50, metavar="N", help="default: 50"
    )
    moving.add_argument(
        "--fps", type=number_above(0.0, 60.0), default=16.0, metavar="N", help="default: 16"
    )
    moving.add_argument(
        "--size",
        type=whole_number(2, 4096),
        metavar="PIXELS",
        help="side of a sample; default: as large as fits into 2 MB",
    )
    moving.add_argument("--format", choices=("gif", "webp", "mp4"), default="gif")


def run(args: argparse.Namespace) -> int:
    """Draw; returns the exit code."""
    from rich.console import Console

    from latentbloom.figures.draw import DRAWINGS, draw_scene
    from latentbloom.figures.open_scene import open_scene
    from latentbloom.figures.scene import AnimationSettings
    from latentbloom.report.card import write_card
    from latentbloom.report.page import write_report
    from latentbloom.report.run_files import read_run
    from latentbloom.storage.files import check_writable

    read_run(args.run)  # refuses what is no run before anything is loaded
    check_writable(args.run)
    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    wanted = args.what or ["all"]
    names = [name for name in DRAWINGS if name in wanted or "all" in wanted]
    if names:
        scene = open_scene(
            args.run,
            names,
            cond=args.cond,
            seed=args.seed,
            against=args.against,
            overrides=overrides_of(args),
            animation=AnimationSettings(
                frames=args.frames, fps=args.fps, size=args.size, format=args.format
            ),
            log={"auto": None, "linear": False, "log": True}[args.axes],
            say=say,
        )
        draw_scene(
            scene,
            names,
            on_missing=lambda name, reason: say(f"{name}: not drawn, {reason}"),
            on_drawn=lambda name, files, seconds: say(
                f"{name}: {', '.join(file.name for file in files)} ({seconds:.1f} s)"
            ),
        )
    say(f"Report in {write_report(args.run)}")
    if "report" not in wanted:
        write_card(args.run)
    return 0


# Written out, so that --help imports nothing slow; a test compares them with the drawings.
_NAMES = (
    "curves",
    "samples",
    "reconstructions",
    "colours",
    "classes",
    "factors",
    "interpolation",
    "neighbours",
    "prior",
    "guidance",
    "path",
    "map",
    "edits",
    "animation",
)


def _name(word: str) -> str:
    if word not in (*EVERYTHING, *_NAMES):
        hint = did_you_mean(word, (*EVERYTHING, *_NAMES), most=2)
        raise argparse.ArgumentTypeError(
            f"'{word}' is nothing to draw. Allowed: {', '.join((*EVERYTHING, *_NAMES))}.{hint}"
        )
    return word
