"""`latentbloom export`: a finished run for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from latentbloom.words import did_you_mean

Say = Callable[[str], None]

TARGETS = {
    "onnx": "three ONNX files and a script that needs numpy and onnxruntime",
    "diffusers": "a pipeline that plain diffusers loads",
    "web": "one page that samples in a browser, without a network",
    "tensorboard": "event files with curves, figures and scores; the run need not be finished",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    width = max(map(len, TARGETS)) + 2
    parser.epilog = "targets:\n" + "\n".join(
        f"  {name:<{width}}{words}" for name, words in TARGETS.items()
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that `fit` made")
    parser.add_argument(
        "--to", required=True, type=_target, metavar="TARGET", help=f"{' or '.join(TARGETS)}"
    )
    parser.add_argument("out", type=Path, metavar="DIR", help="a new folder")


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    from rich.console import Console

    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    {"onnx": _onnx, "diffusers": _diffusers, "web": _web, "tensorboard": _tensorboard}[args.to](
        args.run, args.out, say
    )
    return 0


def _onnx(run: Path, out: Path, say: Say) -> None:
    from latentbloom.export.onnx_folder.write import export_onnx

    parity = export_onnx(run, out, say=say)
    say("Largest absolute difference from latentbloom in float32, for the same noise:")
    width = max(map(len, parity)) + 2
    for name, value in parity.items():
        say(f"  {name:<{width}}{value:.1e}")
    say(f"Model in {out}: python {out / 'sample.py'} --help")


def _diffusers(run: Path, out: Path, say: Say) -> None:
    from latentbloom.export.diffusers_folder.write import export_diffusers

    export_diffusers(run, out, say=say)
    say(f"Pipeline in {out}; its README.md says how to load it.")


def _web(run: Path, out: Path, say: Say) -> None:
    from latentbloom.export.web.write import export_web

    made = export_web(run, out, say=say)
    say(
        f"Weights in {made['precision']}; latents of the same noise differ by at most "
        f"{made['latent']:.1e} (their standard deviation is 1)."
    )
    say(f"Page of {float(made['bytes']) / 1e6:.1f} MB: open {out / 'index.html'} in a browser.")


def _tensorboard(run: Path, out: Path, say: Say) -> None:
    from latentbloom.export.trackers import export_tensorboard

    export_tensorboard(run, out, say=say)
    say(f"Event files in {out}: tensorboard --logdir {out}")


def _target(word: str) -> str:
    if word not in TARGETS:
        raise argparse.ArgumentTypeError(
            f"'{word}' is no target. Allowed: {', '.join(TARGETS)}.{did_you_mean(word, TARGETS)}"
        )
    return word
