"""`latentbloom evaluate`: how good a run is, with error bars."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.cli.options.numbers import MOST_SAMPLES, seed, whole_number
from latentbloom.cli.options.settings import add_source_settings, overrides_of

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.data.imageset import ImageSet
    from latentbloom.evaluate.reference import Reference
    from latentbloom.model.generator import Model
    from latentbloom.model.sample_tars import TarSamples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        "Distances are measured on EfficientNet-Lite2 features at 112 pixels, and their names say "
        "so. Features of real pictures are computed once and stored."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder that `fit` made")
    parser.add_argument(
        "-n",
        type=whole_number(16, MOST_SAMPLES),
        metavar="N",
        help="samples in the distances (default: as many as there are held-out pictures, "
        "from 256 to 2000)",
    )
    parser.add_argument(
        "--against",
        metavar="SOURCE",
        help="compare with all pictures of this source, labelled or not; its scores get a file of "
        "their own (default: the held-out pictures of the run)",
    )
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="DIR",
        help="score the samples in the tar files of this folder, which `sample --shard` made, and "
        "in the folders inside it; sample nothing (-n then is the most that are read)",
    )
    parser.add_argument(
        "--per-label",
        type=whole_number(0, MOST_SAMPLES),
        default=200,
        metavar="N",
        help="least number of samples of each label (default: 200)",
    )
    parser.add_argument(
        "--features",
        default="efficientnet-lite2",
        metavar="NAME",
        help="feature extractor for the distances: efficientnet-lite2 (default), inception, "
        "dinov2, or the path of an ONNX model",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--map",
        action="store_true",
        help="then try samplers, steps and guidance on small samples, and save the best as "
        "draft, balanced and best for `sample --quality` (some minutes)",
    )
    add_source_settings(parser)
    parser.add_argument(
        "--accept-changed-data",
        action="store_true",
        help="score although the run's pictures have changed since it began",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="compute the features of real pictures again"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: scores.json in the run folder, or scores-against-SOURCE.json",
    )


def run(args: argparse.Namespace) -> int:
    """Score, write, print; returns the exit code."""
    from rich.console import Console

    from latentbloom.errors import ConfigError
    from latentbloom.evaluate.against.compared import open_compared
    from latentbloom.evaluate.features.networks import extractor_for
    from latentbloom.evaluate.reference import prepare_reference
    from latentbloom.evaluate.run_scores import evaluate_run
    from latentbloom.evaluate.score_table import score_table
    from latentbloom.evaluate.scoring_progress import shown_on
    from latentbloom.figures.from_pictures.copies import draw_copies
    from latentbloom.runs.folder import RunFolder
    from latentbloom.storage.files import check_writable

    if args.map and args.against is not None:
        raise ConfigError(
            "--map chooses settings by the run's own held-out pictures. Leave out --against, or "
            "--map."
        )
    if args.map and args.samples is not None:
        raise ConfigError("--map samples by itself. Leave out --samples, or --map.")
    folder = RunFolder(args.run)
    extractor = extractor_for(args.features, perceptual=folder.load_config().vae_gan.perceptual)
    console = Console()
    say = partial(console.print, markup=False, emoji=False, highlight=False, soft_wrap=True)
    compared = open_compared(
        folder,
        against=args.against,
        overrides=overrides_of(args),
        accept_changed_data=args.accept_changed_data,
        say=say,
    )
    samples = None
    if args.samples is not None:
        samples = _read_samples(args, compared.val)
    copies = compared.copies if args.out is None and samples is None else None
    place: Path = args.samples or compared.scores.parent
    out = args.out or place / compared.scores.name
    check_writable(out.parent)
    with shown_on(console) as on_progress:
        reference = prepare_reference(
            compared.train,
            compared.val,
            held_out=compared.held_out,
            extractor=extractor,
            cache=None if args.no_cache else "user",
            on_progress=on_progress,
        )
        scores = evaluate_run(
            compared.model,
            compared.train,
            compared.val,
            n=args.n,
            per_label=args.per_label,
            seed=args.seed,
            reference=reference,
            against=compared.against,
            on_copies=None
            if copies is None
            else partial(draw_copies, train=compared.train, path=copies),
            on_progress=on_progress,
            samples=samples,
        )
    notes = (*compared.notes, *scores.pictures.notes)
    pictures = scores.pictures.model_copy(update={"notes": notes})
    scores = scores.model_copy(update={"pictures": pictures})
    scores.save(out)  # before the map, which may fail on its own
    title = f"Scores of {args.samples or args.run}"
    if scores.against is not None:
        title += f" against {scores.against.title}"
    console.print(score_table(scores, title=title))
    say(f"Written to {out}")
    if copies is not None and scores.pictures.copying is not None:
        say(f"Samples nearest to training pictures: {copies}")
    if args.map:
        _map(args, compared.model, reference, console)
    return 0


def _read_samples(args: argparse.Namespace, val: ImageSet) -> TarSamples:
    from latentbloom.model.sample_tars import read_samples

    return read_samples(args.samples, size=val.size, channels=val.channels, most=args.n)


def _map(args: argparse.Namespace, model: Model, reference: Reference, console: Console) -> None:
    """Try settings of the sampler, print them, and save the chosen ones in the run folder."""
    from latentbloom.diffusion.solvers import SAMPLERS
    from latentbloom.evaluate.score_table import speed_table
    from latentbloom.evaluate.scoring_progress import shown_on
    from latentbloom.evaluate.speed_map import FILE_NAME
    from latentbloom.evaluate.speed_search import MAP_SAMPLES, MAPPED, map_speed

    with shown_on(console) as on_progress:
        found = map_speed(
            model,
            reference,
            samplers={name: SAMPLERS[name].evaluations for name in MAPPED},
            n=min(args.n or MAP_SAMPLES, MAP_SAMPLES),
            seed=args.seed,
            on_progress=on_progress,
        )
    found.save(args.run / FILE_NAME)
    console.print(speed_table(found))
