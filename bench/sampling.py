"""Speed and distance of the samplers of a run, side by side on the same number of samples.

    python -m bench.sampling RUN SOURCE [-n 500] --json FILE

The settings are `draft`, `balanced` and `best`, which `latentbloom evaluate RUN --map` saves with a
run, and DDPM's ancestral sampler at 1,000 steps with the guidance of `balanced`. Where the run
lacks them, they are measured and saved first. What FILE has already is not measured again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from bench.pieces import finished, keep, this_command
from bench.score import identity, real_sets
from bench.tables import SAMPLING_HEADS, sampling_findings, sampling_rows, table
from latentbloom.diffusion.solvers import SAMPLERS
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import Reference, prepare_reference
from latentbloom.evaluate.speed_map import FILE_NAME, Setting, SpeedMap
from latentbloom.evaluate.speed_search import MAPPED, map_speed
from latentbloom.evaluate.workload import in_proportion, known_words
from latentbloom.model.generator import Model, load

ANCESTRAL = "ancestral"
ANCESTRAL_STEPS = 1000


def settings_of(speed_map: SpeedMap) -> dict[str, Setting]:
    """The settings to compare, by name."""
    chosen: dict[str, Setting] = dict(speed_map.chosen.items())
    guidance = chosen["balanced"].guidance
    ancestral = Setting(sampler="ddpm", num_steps=ANCESTRAL_STEPS, guidance=guidance)
    return {**chosen, ANCESTRAL: ancestral}


def measure(
    model: Model, reference: Reference, setting: Setting, n: int, seed: int = 1
) -> dict[str, Any]:
    """Generate n pictures in val's proportions of labels, timed, and score them.

    The qualities were chosen with seed 0; another seed is fair to the other settings.
    """
    labels = torch.from_numpy(in_proportion(reference.val_labels, n, seed))
    cond = {name: labels[:, column].clone() for column, name in enumerate(reference.spec.names)}
    words, _ = known_words(reference.spec.words(cond), model.spec)
    start = time.perf_counter()
    samples = model.sample(
        words,
        n=n,
        seed=seed,
        guidance=setting.guidance,
        num_steps=setting.num_steps,
        sampler=setting.sampler,
    )
    seconds = time.perf_counter() - start
    scores = score_pictures(samples.pixels, cond, reference)
    return {
        "setting": setting.model_dump(mode="json"),
        "evaluations": SAMPLERS[setting.sampler].evaluations(setting.num_steps),
        "samples": n,
        "seconds": round(seconds, 3),
        "pictures_per_second": n / seconds,
        "frechet": scores.frechet.model_dump(mode="json"),
        "kernel": scores.kernel.model_dump(mode="json"),
        "met": [[c.factor, c.mean.value] for c in scores.control],
    }


def qualities_of(run: Path, model: Model, reference: Reference, n: int) -> SpeedMap:
    """The run's speed map, measured and saved where there is none."""
    there = SpeedMap.load(run / FILE_NAME)
    if there is not None:
        return there
    print(f"{run} has no {FILE_NAME}: trying samplers, steps and guidance", flush=True)
    evaluations = {name: SAMPLERS[name].evaluations for name in MAPPED}
    made = map_speed(model, reference, samplers=evaluations, n=n)
    made.save(run / FILE_NAME)
    return made


def main() -> int:
    """Parse, sample, score, write."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.sampling", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("-n", type=int, default=500, help="samples of each sampler")
    parser.add_argument(
        "--map-samples", type=int, default=256, help="of each setting that is tried for a quality"
    )
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    args = parser.parse_args()
    began = time.perf_counter()
    model = load(args.run)
    train, val = real_sets(
        args.source, size=model.size, channels=model.channels, fit=model.config.data.fit
    )
    reference = prepare_reference(train, val)
    speed_map = qualities_of(args.run, model, reference, args.map_samples)
    settings = settings_of(speed_map)
    asked = {
        "of": identity(args.run),
        "real": [train.fingerprint, val.fingerprint],
        "n": args.n,
        "settings": {name: setting.model_dump(mode="json") for name, setting in settings.items()},
    }
    piece = finished(args.json, asked) or {"rows": {}, "seconds": 0.0}
    rows, spent = piece["rows"], piece["seconds"]
    if rows.keys() == settings.keys():
        print(f"{args.json} is there already.")
    else:
        model.sample(n=1, num_steps=2)  # the first call is slow
    for name, setting in settings.items():
        if name in rows:
            continue
        print(f"{name}: {setting.sampler}, {setting.num_steps} steps, {args.n} samples", flush=True)
        rows[name] = measure(model, reference, setting, args.n)
        found = {"rows": rows, "map_samples": speed_map.samples}
        seconds = spent + time.perf_counter() - began
        keep(args.json, asked, found, command=this_command("bench.sampling"), seconds=seconds)
    lines = table(SAMPLING_HEADS, sampling_rows(rows))
    print("\n".join([*lines, "", *sampling_findings(rows)]))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench.sampling: {error}") from None
