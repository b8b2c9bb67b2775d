"""`latentbloom fit`: everything from labelled pictures to a model and its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from latentbloom.cli.options.numbers import number_above
from latentbloom.cli.options.settings import (
    add_all_settings,
    add_setting,
    add_source_settings,
    find_setting,
    overrides_of,
    settings_table,
)
from latentbloom.config.settings_base import MOST_MINUTES
from latentbloom.threads import bound_spinning

AUTO = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "latentbloom fit [SOURCE] [options] [--section.setting VALUE ...]"
    parser.epilog = (
        "The same command again resumes a run that was stopped. Every other setting has a\n"
        "dotted option, for example --diffusion.lr 1e-4: see `latentbloom fit --help-config`."
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help="folder whose sub-folders are the labels, folder with labels.csv or labels of another "
        "program, zip or tar of one, shards as in wds:packed/*.tar, hf:user/name, or a built-in "
        "source: celeba, flowers102, synthetic-faces, synthetic-flowers; not needed with a preset "
        "that names one, such as celeba-smiling",
    )
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder (default: runs/SOURCE)")
    add_setting(parser, "--from", "train.start_from")
    parser.add_argument("--preset", metavar="NAME", help="see `latentbloom presets`")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as JSON, such as a run's config.json"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="audit the pictures and print the plan, then stop"
    )
    parser.add_argument(
        "--accept-changed-data",
        action="store_true",
        help="continue a run although its pictures have changed since it began",
    )
    parser.add_argument("--help-config", action=_HelpConfig, help="list every setting, then stop")
    budget = parser.add_argument_group("budget")
    budget.add_argument(
        "--minutes",
        type=number_above(0.0, MOST_MINUTES),
        metavar="N",
        help="time for everything, scores and report included (default: 20)",
    )
    add_setting(budget, "--images-1", "train.vae_gan_images", "end stage 1 after N images instead")
    add_setting(
        budget, "--images-2", "train.diffusion_images", "end stage 2 after N images instead"
    )
    add_source_settings(parser)
    often = parser.add_argument_group("often used settings")
    add_setting(often, "--size", "data.size")
    add_setting(often, "--fit", "data.fit")
    add_setting(often, "--hold-out", "data.hold_out")
    add_setting(often, "--perceptual", "vae_gan.perceptual")
    add_setting(often, "--seed", "train.seed")
    add_setting(often, "--tracker", "train.trackers")
    often.add_argument(
        "--processes",
        type=_processes,
        metavar="N|auto",
        help="processes that train on this machine and share each batch (default: 1; auto: as "
        "many as are measured clearly faster than one)",
    )
    add_all_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from latentbloom.presets import build_preset

    if args.preset is not None:
        build_preset(args.preset)  # an unknown name is better told before PyTorch is loaded
    overrides = overrides_of(args)
    budgets = (
        {"train.vae_gan_images", "train.vae_gan_epochs"},
        {"train.diffusion_images", "train.diffusion_epochs"},
    )
    if isinstance(args.processes, int):
        overrides["train.processes"] = args.processes
    if args.minutes is None and all(either & overrides.keys() for either in budgets):
        overrides.setdefault("train.minutes", None)  # the images alone say when to end
    if overrides.get("train.minutes", 0.0) is None:
        bound_spinning()  # such a run keeps its threads while other programs use the machine

    from rich.console import Console

    from latentbloom.fitting.pipeline import fit

    fit(
        args.source,
        out=args.out,
        minutes=args.minutes,
        preset=args.preset,
        config=args.config,
        overrides=overrides,
        dry_run=args.dry_run,
        accept_changed_data=args.accept_changed_data,
        several_processes=args.processes == AUTO,
        console=Console(),
    )
    return 0


def _processes(text: str) -> int | str:
    return AUTO if text == AUTO else find_setting("train.processes").parse(text)


class _HelpConfig(argparse.Action):
    """Prints the settings and ends, as --help does."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from rich.console import Console

        Console().print(settings_table())
        parser.exit()
