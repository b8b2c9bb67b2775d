"""Methods of editing side by side, on held-out pictures of a run.

    python -m bench.edits RUN [--root DIR] [--factor NAME] [-n 100] [--json FILE]

Every picture is edited to another value of one factor. A classifier that was trained on real
pictures, with features of its own (`latentbloom.evaluate`), says what the pictures show before and
after, in six views of each (the picture, its mirror image, and shifts by one pixel); the model has
no say. The columns:

* reached: share whose classifier names the new value;
* drifted: share of the other factors' values that the classifier names otherwise than before;
* own nearest: share whose nearest neighbour among 200 originals is still the right one, by those
  features / by pixels;
* null: mean difference to the original, in 1/255, of an edit to what the picture shows already;
* there and back: the same, after a second edit to the first value;
* distance: of the network's feature maps, like LPIPS; 0 is the same picture;
* seconds a picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.tables import table
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.features.extractor import FeatureExtractor, in_batches
from latentbloom.evaluate.measures.classifier import ConditionClassifier
from latentbloom.evaluate.measures.fidelity import map_distance
from latentbloom.evaluate.reference import prepare_reference
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.model.editing.edit_records import EditRecords
from latentbloom.model.editing.methods import METHODS, LatentEdit
from latentbloom.model.editing.shown import changed_picture
from latentbloom.model.generator import Model, load
from latentbloom.runs.folder import RunFolder
from latentbloom.storage.files import write_json

HEADS = (
    "method",
    "strength",
    "reached",
    "drifted",
    "own nearest, features / pixels",
    "null, 1/255",
    "there and back, 1/255",
    "distance",
    "seconds",
)
STRENGTHS = (0.4, 0.6, 0.8)
POOL = 200


@dataclass(frozen=True)
class Held:
    """Held-out pictures and what looks at them.

    Attributes:
        pixels: uint8 (N, C, H, W), at least `POOL` where there are so many.
        words: Their labels.
        extractor: The network.
        classifier: Trained on real pictures.
    """

    pixels: Tensor
    words: list[dict[str, str]]
    extractor: FeatureExtractor
    classifier: ConditionClassifier


def held_out(run: Path, root: str | None) -> Held:
    """The first pictures of the held-out set in a random order, and the classifier."""
    overrides = {} if root is None else {"data.root": root}
    train, val = sets_of_run(RunFolder(run), overrides=overrides, accept_changed_data=True)
    reference = prepare_reference(train, val)
    if reference.classifier is None:
        raise LatentbloomError(f"{run} has no labels that a classifier can learn.")
    chosen = np.random.default_rng(0).permutation(len(val))
    words = val.spec.words(val.cond(chosen))
    return Held(val.images(chosen), words, reference.extractor, reference.classifier)


def named(held: Held, pixels: Tensor) -> tuple[dict[str, list[str]], np.ndarray]:
    """What the classifier names for each factor, over all views, and pooled features (N, D)."""
    moved = [pixels.roll(by, dims) for by in (1, -1) for dims in (2, 3)]
    views = [held.extractor.extract(in_batches(view)) for view in (pixels, pixels.flip(3), *moved)]
    predictions = [held.classifier.predict(features) for features in views]
    found = {}
    for name in predictions[0]:
        likely = np.sum([one[name].probabilities for one in predictions], axis=0).argmax(axis=1)
        found[name] = [held.classifier.spec.factor(name).word(int(k)) for k in likely]
    return found, views[0].pooled


def own_nearest(pool: np.ndarray, edited: np.ndarray, own: Sequence[int]) -> float:
    """Share of rows of `edited` (N, D) whose nearest of `pool` (P, D) is the row `own` names."""
    square = (edited**2).sum(1)[:, None] - 2 * edited @ pool.T + (pool**2).sum(1)[None]  # (N, P)
    return float(np.mean(square.argmin(axis=1) == np.asarray(own)))


def error_of(pixels: Tensor, others: Tensor) -> float:
    """Mean absolute difference, in 1/255."""
    return float((pixels.float() - others.float()).abs().mean())


def choose(held: Held, factor: str, value: str | None, n: int) -> tuple[list[int], list[str]]:
    """Which of the first `POOL` pictures to edit, and to which value.

    Pictures that show the value already are left out; without one, each picture gets the next
    value of its own.
    """
    values = held.classifier.spec.factor(factor).values
    rows, goals = [], []
    for k, words in enumerate(held.words[:POOL]):
        shown = words[factor]
        if shown in values and shown != value:
            rows.append(k)
            goals.append(value or values[(values.index(shown) + 1) % len(values)])
    return rows[:n], goals[:n]


def null_edit(
    model: Model,
    edits: EditRecords,
    *,
    method: str,
    strength: float,
    raw: bool = False,
    guidance: float | None = None,
    seed: int = 0,
) -> Tensor:
    """Pictures (N, C, H, W) after a method's edit to what they show already.

    `model.edit` does not edit such pictures at all; this is what the method itself would do.
    """
    how = METHODS[method]
    w = how.guidance if guidance is None else guidance
    found = []
    for edit in edits:
        cond = {k: v.to(model.device) for k, v in model.spec.encode(edit.source, 1).items()}
        job = LatentEdit(edit.z.to(model.device), cond, cond, strength, w, seed)
        found.append(how.run(model, job).float().cpu())
    z = torch.stack([edit.z for edit in edits])
    after = model.decode(torch.stack(found))
    if raw:
        return to_uint8(after)
    x = to_float(torch.from_numpy(np.stack([edit.original for edit in edits])))
    return to_uint8(changed_picture(x.permute(0, 3, 1, 2), model.decode(z), after))


def measure(
    model: Model,
    held: Held,
    factor: str,
    value: str | None,
    n: int,
    *,
    given: bool = True,
    **options: Any,
) -> dict[str, float]:
    """One row of the table, as numbers.

    Arguments:
        model: The model.
        held: The pictures.
        factor: What to change.
        value: To what; None: each picture to its next value.
        n: How many pictures at most.
        given: Tell the model what the pictures show; else it finds that itself.
        options: Of `model.edit`.
    """
    rows, goals = choose(held, factor, value, n)
    pixels = held.pixels[rows]
    source = [held.words[k] for k in rows] if given else None
    to = [{factor: goal} for goal in goals]
    start = time.perf_counter()
    edits = model.edit(pixels, to, source=source, **options)
    seconds = (time.perf_counter() - start) / len(rows)
    back = model.edit(
        edits.pixels,
        [{factor: e.source[factor]} for e in edits],
        source=[e.cond for e in edits],
        **options,
    )
    same = null_edit(model, edits, **options)
    before, _ = named(held, pixels)
    after, features = named(held, edits.pixels)
    pool = held.pixels[:POOL]
    _, pool_features = named(held, pool)
    pool_flat, flat = (images.flatten(1).double().numpy() / 255 for images in (pool, edits.pixels))
    others = [name for name in after if name != factor]
    drifts = {
        name: float(np.mean([a != b for a, b in zip(before[name], after[name], strict=True)]))
        for name in others
    }
    with torch.inference_mode():
        apart = [
            map_distance(held.extractor.maps(a), held.extractor.maps(b))
            for a, b in zip(pixels.split(32), edits.pixels.split(32), strict=True)
        ]
    return {
        "n": len(rows),
        "reached": float(np.mean([a == g for a, g in zip(after[factor], goals, strict=True)])),
        "real": float(
            np.mean([b == held.words[k][factor] for b, k in zip(before[factor], rows, strict=True)])
        ),
        "drifted": float(np.mean(list(drifts.values()))) if others else 0.0,
        "worst drift": max(drifts.values(), default=0.0),
        "own features": own_nearest(pool_features, features, rows),
        "own pixels": own_nearest(pool_flat, flat, rows),
        "null": error_of(same, pixels),
        "back": error_of(back.pixels, pixels),
        "distance": float(torch.cat(apart).mean()),
        "seconds": seconds,
    }


def row_of(method: str, strength: float, found: Mapping[str, float]) -> tuple[str, ...]:
    """A row of `HEADS`."""
    return (
        method,
        f"{strength:g}",
        f"{found['reached']:.0%}",
        f"{found['drifted']:.1%}",
        f"{found['own features']:.0%} / {found['own pixels']:.0%}",
        f"{found['null']:.2f}",
        f"{found['back']:.2f}",
        f"{found['distance']:.3f}",
        f"{found['seconds']:.2f}",
    )


def main() -> int:
    """Edit, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.edits", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--root", metavar="DIR", help="where the published data set lies")
    parser.add_argument("--to", metavar="NAME=VALUE", help="default: each picture's next value")
    parser.add_argument("--factor", metavar="NAME", help="default: the first")
    parser.add_argument("-n", type=int, default=100, help="pictures (default: 100)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--strengths", nargs="+", type=float, default=list(STRENGTHS))
    parser.add_argument("--found", action="store_true", help="the model finds what pictures show")
    parser.add_argument("--raw", action="store_true", help="measure D(z') alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    model = load(args.run)
    held = held_out(args.run, args.root)
    factor, value = args.factor or held.classifier.spec.names[0], None
    if args.to:
        ((factor, value),) = model.spec.parse(args.to).items()
    rows, kept = [], []
    for method in args.methods:
        for strength in args.strengths:
            found = measure(
                model,
                held,
                factor,
                value,
                args.n,
                given=not args.found,
                method=method,
                strength=strength,
                raw=args.raw,
            )
            rows.append(row_of(method, strength, found))
            kept.append({"method": method, "strength": strength, **found})
            print(json.dumps(kept[-1]), flush=True)
    print("\n".join(table(HEADS, rows)))
    if args.json is not None:
        write_json(args.json, {"factor": factor, "to": value, "rows": kept})
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.edits: {error}") from None
