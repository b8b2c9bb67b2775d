"""Other people's diffusion models, trained on the same pictures for the same minutes.

    python -m bench.peers NAME SOURCE --minutes 20 60 --out DIR [-n 500] [--size 64]
    python -m bench.peers NAME celeba --root DATA --factors smiling --out DIR

NAME is `denoising-diffusion-pytorch` (from PyPI, in the extra `bench`) or `diffusers-unet`. Each
gets the same help as ours where that costs nothing: mirrored pictures, bfloat16 autocast where it
is faster, channels-last memory, averaged weights, classifier-free guidance. The minutes count
training only.

One training serves all budgets. The averaged weights at each of them go to DIR/20 and DIR/60.
Samples are generated after the training, in val's proportions of labels, with records.json beside
them for bench.score. Existing results are not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.peer_models import PEERS, Peer
from bench.peer_training import BATCH, Trained, sample_peer, train_peer
from bench.pieces import finished, keep, read_piece, this_command
from latentbloom.conditions import ConditionSpec
from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import default_device
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.workload import in_proportion
from latentbloom.fitting.planning.machine import measure_machine

WEIGHTS = "weights.safetensors"


def classes_of(labels: Tensor, spec: ConditionSpec) -> Tensor:
    """One class a combination of labels, for models that know a single factor.

    Arguments:
        labels: Indices (N, factors); an unknown label counts as a value.
        spec: The factors.

    Returns:
        (N,), below the number of combinations.
    """
    index = torch.zeros(len(labels), dtype=torch.long)
    for column, factor in enumerate(spec.factors):
        index = index * factor.num_embeddings + labels[:, column]
    return index


def build_peer(name: str, spec: ConditionSpec, channels: int, size: int) -> Peer:
    """A peer with fresh weights.

    Raises:
        LatentbloomError: Its package is not installed.
    """
    kinds = math.prod(factor.num_embeddings for factor in spec.factors)
    try:
        return PEERS[name](kinds, channels, size)
    except ModuleNotFoundError as error:
        raise LatentbloomError(
            f"{name} cannot be imported ({error}). Install it: pip install --constraint "
            "constraints.txt --editable '.[bench]'"
        ) from None


def folder_of(out: Path, minutes: float) -> Path:
    """Folder of the weights and samples of a budget."""
    return out / f"{minutes:g}"


def train_what_is_missing(
    peer: Peer,
    images: ImageSet,
    minutes: Sequence[float],
    out: Path,
    asked: dict[str, Any],
    *,
    low: bool,
    command: str,
) -> None:
    """Train once for all budgets whose weights are missing."""
    from safetensors.torch import save_file

    missing = [
        budget
        for budget in minutes
        if finished(folder_of(out, budget) / "training.json", asked | {"minutes": budget}) is None
    ]
    if not missing:
        return
    classes = classes_of(torch.from_numpy(images.labels), images.spec)
    torch.manual_seed(0)
    seconds = {60 * budget: budget for budget in missing}
    weights = sum(p.numel() for p in peer.net.parameters()) / 1e6
    done: Trained
    for done in train_peer(peer, images, classes, list(seconds), low=low, say=_say):
        budget = seconds[done.budget]
        folder = folder_of(out, budget)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "records.json").unlink(missing_ok=True)  # of other weights
        save_file({k: v.contiguous().cpu() for k, v in done.average.items()}, folder / WEIGHTS)
        facts = {
            "package": f"{peer.package} {version(peer.package)}",
            "weights_millions": round(weights, 2),
            "precision": "bf16" if low else "fp32",
            "images": done.images,
            "steps": done.steps,
            "images_per_second": round(done.images / done.seconds, 2),
        }
        keep(
            folder / "training.json",
            asked | {"minutes": budget},
            facts,
            command=command,
            seconds=done.seconds,
        )
        _say(f"{budget:g} minutes: {json.dumps(facts)}")


def sample_what_is_missing(
    peer: Peer,
    spec: ConditionSpec,
    wanted: Tensor,
    folder: Path,
    asked: dict[str, Any],
    *,
    command: str,
) -> None:
    """Generate the samples of one budget where they are missing, in the training's precision.

    Arguments:
        peer: Gets the weights of the budget.
        spec: The factors.
        wanted: Labels (n, factors).
        folder: Of the budget.
        asked: The request: everything that decides the samples.
        command: The current command.
    """
    from PIL import Image
    from safetensors.torch import load_file

    records = folder / "records.json"
    if finished(records, asked) is not None:
        return
    _say(f"{folder}: {len(wanted)} samples")
    peer.net.load_state_dict(load_file(folder / WEIGHTS))
    low = (read_piece(folder / "training.json") or {}).get("precision") == "bf16"
    torch.manual_seed(0)
    start = time.monotonic()
    pictures = sample_peer(peer, classes_of(wanted, spec), low=low, say=_say)
    seconds = time.monotonic() - start
    for old in folder.glob("*.png"):
        old.unlink()
    cond = {name: wanted[:, column] for column, name in enumerate(spec.names)}
    described = []
    for k, (picture, words) in enumerate(zip(pictures, spec.words(cond), strict=True)):
        pixels = picture.permute(1, 2, 0).numpy()
        file = f"{k:05d}.png"
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(folder / file)
        described.append({"file": file, "cond": words})
    found = {"samples_per_second": round(len(pictures) / seconds, 3), "pictures": described}
    keep(records, asked, found, command=command, seconds=seconds)


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Parse, train, sample, write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description="Train another project's model."
    )
    parser.add_argument("name", choices=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--root", default="data", help="folder that holds celeba or flowers102")
    parser.add_argument("--factors", default="", help="conditions to use, as for `fit`")
    parser.add_argument("--splits", default="", help="splits to train on, as for `fit`")
    parser.add_argument("--minutes", type=float, nargs="+", default=[20.0], metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("-n", type=int, default=500, help="samples, in val's proportions")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=3, choices=(1, 3))
    parser.add_argument(
        "--precision", choices=("bf16", "fp32"), help="default: the faster one, measured"
    )
    args = parser.parse_args()
    command = this_command("bench.peers")
    os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars clutter a log
    source = open_source(
        SourceOptions(source=args.source, root=args.root, factors=args.factors, splits=args.splits)
    )
    spec = source.spec
    entries = [e for e in source.entries if e.split == "train"]
    images = ImageSet(source, entries, size=args.size, channels=args.channels)
    val = torch.tensor([e.labels for e in source.entries if e.split == "val"])
    torch.manual_seed(0)
    peer = build_peer(args.name, spec, args.channels, args.size)
    asked = {
        "name": args.name,
        "configuration": peer.describe,
        "pictures": images.fingerprint,
        "batch": BATCH,
    }
    low = (args.precision or measure_machine(default_device()).precision) == "bf16"
    train_what_is_missing(peer, images, args.minutes, args.out, asked, low=low, command=command)
    wanted = torch.from_numpy(in_proportion(val.numpy(), args.n, 0))
    for budget in args.minutes:
        more = {"minutes": budget, "n": args.n}
        folder = folder_of(args.out, budget)
        sample_what_is_missing(peer, spec, wanted, folder, asked | more, command=command)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.peers: {error}") from None
