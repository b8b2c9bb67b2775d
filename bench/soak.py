"""Kill a tiny run at random moments, over and over, and compare what it becomes.

    python -m bench.soak --kills 200

Runs of `latentbloom fit` are killed by the system (SIGKILL) at random moments: in all stages, while
pictures are read or encoded, while scores are computed, figures drawn and files saved. Each is
restarted until it ends. Its weights, scores and samples are then compared, bit by bit, with those
of a run that nothing disturbed. Ctrl-C ends the soak early, with the figures so far.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.crashes import BATCH, Ended, Laboratory, Tally, result, saved_images, undisturbed
from latentbloom.words import plural

DRAWINGS = ("curves", "samples", "reconstructions", "prior")
"""Some of all figures, so that most of the moments fall into the stages before them."""

PHASES = (
    ("latents/generated", "generating latents"),
    ("latents/", "encoding"),
    ("vae_gan", "stage 1"),
    ("conditional_diffusion", "stage 2"),
    ("decoder", "stage 3"),
    ("cache/features", "scoring"),
    ("cache/classifiers", "scoring"),
    ("scores", "scoring"),
    ("copies", "scoring"),
    ("figures", "drawing"),
    ("cache/pictures", "auditing"),
    ("README", "report and model card"),
    ("report", "report and model card"),
    ("samples", "previews"),
    ("metrics", "training, between saves"),
)


def phase(point: str) -> str:
    """What a run was doing, from the last thing that it wrote."""
    return next((words for part, words in PHASES if part in point), "beginning or resuming")


def digest(found: dict[str, Any]) -> str:
    """A hash of weights, scores and samples."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def kill_once(lab: Laboratory, run: Path, delay: float) -> Ended:
    """One call of `fit`, killed after some seconds unless it has ended."""
    child = lab.fit(run, lambda point, _: lab.note(point), wait=False)
    assert isinstance(child, int)
    end = time.monotonic() + delay
    try:
        while time.monotonic() < end:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                break
            time.sleep(0.002)
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # without effect where it has ended
    return lab.end_of(child, run)


def main() -> int:
    """Run; returns 1 where a run became something else, or a step was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20 * BATCH, help="of each stage")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latentbloom-soak-"))
    chance = random.Random(args.seed)  # noqa: S311 - moments, not secrets
    tally, phases, hashes = Tally(), Counter[str](), Counter[str]()
    lost: list[int] = []
    kills, number, expected = 0, 0, ""
    began = time.monotonic()
    try:
        lab = Laboratory(folder, drawings=DRAWINGS, images=args.images)
        expected = digest(undisturbed(lab, tally))
        whole = time.monotonic() - began
        print(f"A whole run takes {whole:.0f} s.", file=sys.stderr, flush=True)
        while kills < args.kills:
            run = folder / f"run{number}"
            number += 1
            while True:
                ended = kill_once(lab, run, chance.uniform(0.0, whole / 5))
                tally.starts += 1
                if ended.code is not None:
                    break
                kills += 1
                phases[phase(ended.point)] += 1
                if ended.seen:
                    lost.append(ended.seen - saved_images(run, ended.stage))
            if ended.code != 0 or "Traceback" in ended.said:
                tally.faults.append(f"ended with {ended.code}: {ended.said[-500:]}")
                continue
            hashes[digest(result(run))] += 1
            shutil.rmtree(run)
            print(f"{plural(kills, 'kill')} so far", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("Interrupted: the last run is not compared.", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    equal = set(hashes) <= {expected}
    figures = {
        "kills": kills,
        "starts": tally.starts,
        "runs that ended": sum(hashes.values()),
        "most images lost": max(lost, default=0),
        "images of a step": BATCH,
        "hash undisturbed": expected,
        "hashes": dict(hashes),
        "equal": equal,
        "phases": dict(phases.most_common()),
        "faults": tally.faults,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    print(f"{plural(kills, 'kill')}, {plural(tally.starts, 'start')}, {figures['minutes']} minutes")
    for words, count in phases.most_common():
        print(f"  {count:4}  last wrote in: {words}")
    print(f"lost at most: {figures['most images lost']} images (a step is {BATCH})")
    print(f"{plural(sum(hashes.values()), 'run')} ended; undisturbed {expected}")
    print("all equal" if equal else f"DIFFERENT: {dict(hashes)}")
    print(*tally.faults, sep="\n", end="")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if equal and not tally.faults and max(lost, default=0) <= BATCH else 1


if __name__ == "__main__":
    sys.exit(main())
