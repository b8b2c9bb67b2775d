"""Kill a run of real size at random moments, and compare its weights with an undisturbed run's.

    python -m bench.kills --kills 24 --json FILE

Both runs train on the pictures of `make demo`, and as much as it did on a machine of two cores, but
with a budget in images, for which the same seed gives the same bits. One thread each; they run side
by side. A quarter of the kills falls into each stage, and into what comes after them.
`python -m bench.soak` kills tiny runs, hundreds of times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.crashes import FINAL
from latentbloom.words import plural

SOURCE = "synthetic-flowers"
BUDGETS = ("train.vae_gan_images", "train.diffusion_images", "train.decoder_images")
PHASES = ("stage 1", "encoding and stage 2", "stage 3", "guidance, scores, figures and report")
LONGEST = (1.0, 1.0, 0.4, 0.3)  # of `--longest`: what later phases take is shorter
SAVE_SECONDS = 15.0


def start(run: Path, images: list[int]) -> subprocess.Popen[bytes]:
    """Call `fit`; the same call resumes."""
    budgets = [word for name, n in zip(BUDGETS, images, strict=True) for word in (f"--{name}", n)]
    settings = ["--train.threads", 1, "--train.checkpoint_seconds", SAVE_SECONDS, *budgets]
    words = ["fit", SOURCE, "--out", run, *settings]
    with run.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "latentbloom", *map(str, words)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def phase(run: Path) -> int:
    """The number of finished stages."""
    return sum((run / name / "model.safetensors").exists() for name in FINAL)


def weights(run: Path) -> str:
    """A hash of the final weights of all stages."""
    files = [run / name / "model.safetensors" for name in FINAL]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def unsaved_seconds(run: Path, began: float) -> float:
    """Seconds of this call since anything of a model was saved; 0 outside of training."""
    if phase(run) == len(FINAL):
        return 0.0
    saved = [path.stat().st_mtime for path in run.glob("*/model.safetensors")]
    return time.time() - max([began, *saved])


def wait(call: subprocess.Popen[bytes], run: Path, most: Sequence[float]) -> bool:
    """Let a call run for as many seconds as its phase may take at most; whether it still runs.

    A phase that may take none, as it had its kills, is left to end.
    """
    until, last = 0.0, -1
    while call.poll() is None:
        if (now := phase(run)) != last:
            until, last = time.monotonic() + most[now], now
        if most[now] and time.monotonic() >= until:
            return True
        time.sleep(0.05)
    return False


def main() -> int:
    """Run both; returns 1 where their weights differ or a call failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=75.0, help="seconds before a kill")
    parser.add_argument(
        "--images", type=int, nargs=3, default=[22_816, 84_800, 4_128], help="of each stage"
    )
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latentbloom-kills-"))
    chance = random.Random(args.seed)  # noqa: S311 - moments, not secrets
    phases, unsaved, began = Counter[str](), [0.0], time.monotonic()
    undisturbed, killed = folder / "undisturbed", folder / "killed"
    beside = start(undisturbed, args.images)
    try:
        kills, each = 0, -(-args.kills // len(PHASES))
        while True:
            call, at = start(killed, args.images), time.time()
            most = [
                chance.uniform(0.0, args.longest * share) if phases[name] < each else 0.0
                for name, share in zip(PHASES, LONGEST, strict=True)
            ]
            if not wait(call, killed, most):
                code = call.wait()
                break
            call.kill()
            call.wait()
            kills += 1
            phases[PHASES[phase(killed)]] += 1
            unsaved.append(unsaved_seconds(killed, at))
            print(f"{plural(kills, 'kill')}: {dict(phases)}", file=sys.stderr, flush=True)
        codes = [code, beside.wait()]
        said = killed.with_suffix(".log").read_text(errors="replace")
        found: dict[str, Any] = {
            "kills": kills,
            "phases": dict(phases),
            "most seconds since a save": round(max(unsaved), 1),
            "exit codes": codes,
            "tracebacks": said.count("Traceback"),
            "undisturbed": weights(undisturbed) if codes[1] == 0 else "",
            "killed": weights(killed) if codes[0] == 0 else "",
            "images": args.images,
            "minutes": round((time.monotonic() - began) / 60, 1),
        }
        if any(codes):
            print(said[-2000:], file=sys.stderr)
    finally:
        beside.kill()
        shutil.rmtree(folder, ignore_errors=True)
    found["equal"] = bool(found["killed"]) and found["killed"] == found["undisturbed"]
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if found["equal"] and not found["tracebacks"] else 1


if __name__ == "__main__":
    sys.exit(main())
