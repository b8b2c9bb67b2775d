"""Tiny runs that are ended, or whose disk fails, at named points; all in forked children.

The parent imports PyTorch once. Each child runs the command line, `latentbloom fit`, on pictures of
32 pixels. A point is a step on the disk and what it is done to, such as "rename vae_gan_last".

    python -m bench.crashes kill    # end the process at every point, restart, compare
    python -m bench.crashes fail    # let every point fail, once and for good, restart, compare
    python -m bench.crashes copy    # copy the run folder while it runs, resume the copies, compare

Ctrl-C ends it early, with the figures so far.
"""

from __future__ import annotations

import argparse
import errno
import json
import mmap
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import numpy as np
from PIL import Image

from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from latentbloom.storage.disk import Step, watched_by

BATCH = 8
IMAGES = 4 * BATCH
STAGES = ("vae_gan", "conditional_diffusion", "decoder")
FINAL = ("vae_gan_final", "conditional_diffusion_final", "decoder_final")
FEW_DRAWINGS = ("samples",)
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO)


def make_pictures(folder: Path, per_label: int = 12) -> Path:
    """Bright and dark pictures, larger than the model's, some of them held out."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label, level in (("day", 190), ("night", 60)):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(per_label):
                pixels = rng.normal(level, 30, (64, 64)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


def settings(images: int = IMAGES) -> dict[str, Any]:
    """Settings of a run that saves and previews at every step, through all three stages."""
    return {
        "data.size": 32,
        "data.channels": 1,
        "autoencoder.width": 16,
        "autoencoder.blocks": 1,
        "vae_gan.perceptual": "none",
        "vae_gan.batch_size": BATCH,
        "vae_gan.discriminator_width": 8,
        "denoiser.width": 32,
        "denoiser.depth": 1,
        "denoiser.head_width": 16,
        "diffusion.batch_size": BATCH,
        "train.vae_gan_images": images,
        "train.diffusion_images": images,
        "train.decoder_images": images,
        "decoder.batch_size": BATCH,
        "decoder.generated": 2 * BATCH,
        "train.precision": "fp32",
        "train.threads": 1,
        "train.checkpoint_seconds": 0.001,
        "train.log_seconds": 0.001,
        "train.preview_seconds": 0.001,
        "train.checkpoint_epochs": 1,
        "sampling.num_steps": 2,
    }


def point_name(step: Step, path: Path, places: dict[str, Path]) -> str:
    """A step and what it is done to: "rename vae_gan_last", "append metrics.jsonl"."""
    for word, place in places.items():
        if path.is_relative_to(place):
            name = (Path(word) / path.relative_to(place)).as_posix()
            break
    else:
        name = path.as_posix()
    name = re.sub(r"(^|/)\.(?:\d+\.)?new\.", r"\1", name)  # written beside its place
    name = re.sub(r"(^|/)\.([^/]*)\.(new|old)(?=/|$)", r"\1\2", name)
    name = re.sub(r"[0-9a-f]{16,}[-0-9]*", "HASH", name)
    return f"{step} {re.sub(r'[0-9]+', 'N', name)}"


@dataclass
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit code; None when it was killed.
        said: What it printed.
        point: The point at which it was killed, or at which the disk first failed.
        stage: Number of the stage that it trained last.
        seen: Images that this stage had seen.
        first: Images that it had seen when this child began with it.
    """

    code: int | None
    said: str
    point: str
    stage: int
    seen: int
    first: int


class Laboratory:
    """Runs `fit` in children on one set of tiny pictures.

    Arguments:
        folder: For the pictures and the runs.
        drawings: Names of the figures to draw; all when left out.
        images: Of each stage.
    """

    def __init__(
        self, folder: Path, *, drawings: tuple[str, ...] | None = None, images: int = IMAGES
    ) -> None:
        self.folder = folder
        self.drawings = drawings
        self.settings = settings(images)
        self.pictures = make_pictures(folder / "pictures")
        self._shared = mmap.mmap(-1, 4096)
        _warm_up()

    def fit(
        self, run: Path, watcher: Callable[[str, Path], None] | None = None, *, wait: bool = True
    ) -> Ended | int:
        """One call of `fit` in a child.

        Arguments:
            run: The run folder; its cache lies beside it.
            watcher: Called in the child with the name of each point.
            wait: Whether to wait for its end; otherwise its process number is returned.
        """
        self._shared[:] = bytes(len(self._shared))
        child = os.fork()
        if child == 0:
            self._in_child(run, watcher)
        return self.end_of(child, run) if wait else child

    def end_of(self, child: int, run: Path) -> Ended:
        """Wait for a child."""
        _, status = os.waitpid(child, 0)
        stage, seen, first = struct.unpack("3i", self._shared[:12])
        return Ended(
            code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            said=run.with_suffix(".log").read_text(encoding="utf-8"),
            point=self._shared[64:].split(b"\0", 1)[0].decode(),
            stage=stage,
            seen=seen,
            first=first,
        )

    def note(self, point: str) -> None:
        """In a child: tell the parent where it ends."""
        word = point.encode()
        self._shared[64 : 64 + len(word) + 1] = word + b"\0"

    def _in_child(self, run: Path, watcher: Callable[[str, Path], None] | None) -> NoReturn:
        code = 70
        try:
            log = os.open(run.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            cache = run.with_suffix(".cache")
            os.environ["LATENTBLOOM_CACHE"] = str(cache)
            self._count_images(run)
            if self.drawings is not None:
                _draw_only(self.drawings)
            places = {"": run, "cache": cache, "beside": run.parent}

            def watch(step: Step, path: Path) -> None:
                if watcher is not None:
                    watcher(point_name(step, path, places), path)

            from latentbloom.cli.main import main

            with watched_by(watch):
                code = main(self.words(run))
            names = "\n".join(sorted(set(sys.modules)))
            (self.folder / "modules.txt").write_text(names, encoding="utf-8")
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def words(self, run: Path) -> list[str]:
        """The command line of a run."""
        options = [word for name, v in self.settings.items() for word in (f"--{name}", str(v))]
        return ["fit", str(self.pictures), "--out", str(run), *options]

    def _count_images(self, run: Path) -> None:
        """In a child: keep the place of training where the parent sees it, whatever happens."""
        from latentbloom.train.loop import Trainer

        step = Trainer.step
        begun: set[int] = set()

        def counted(trainer: Trainer, progress: float) -> Any:
            if trainer.run != run:  # a step that is timed for the plan
                return step(trainer, progress)
            stage = STAGES.index(trainer.stage.folder)
            if stage not in begun:
                begun.add(stage)
                self._shared[8:12] = struct.pack("i", trainer.position.images)
            losses = step(trainer, progress)
            self._shared[:8] = struct.pack("2i", stage, trainer.position.images)
            return losses

        mock.patch.object(Trainer, "step", counted).start()


def _warm_up() -> None:
    """Import what a run needs, so that no child has to."""
    # As many samples whatever the speed: else the scores depend on it.
    mock.patch("latentbloom.evaluate.run_scores.FEWEST", 64).start()
    # All figures are drawn, also on a machine that is busy.
    mock.patch("latentbloom.fitting.finish.SHORTEST_DRAWING", 3600.0).start()
    # Nothing is left to choose, so nothing needs to be timed before each beginning.
    known = Speeds(50.0, 200.0, 1000.0)
    measured = "a tiny machine", "fp32", known
    mock.patch("latentbloom.fitting.work.Work.measure", return_value=measured).start()


def _draw_only(names: tuple[str, ...]) -> None:
    from latentbloom.figures import draw

    for name in set(draw.DRAWINGS) - set(names):
        del draw.DRAWINGS[name]


def result(run: Path) -> dict[str, Any]:
    """What must be equal, bit for bit: weights of all stages, and scores without their seconds."""
    weights = {
        f"{name}/{key}": value.numpy().tobytes().hex()
        for name in FINAL
        if checkpoint_exists(run / name)
        for key, value in load_checkpoint(run / name)[0]["model"].items()
    }
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    scores.pop("seconds")
    sheets = {p.name: p.read_bytes().hex() for p in (run / "figures" / "data").glob("s*.png")}
    return {"weights": weights, "scores": scores, "sheets": sheets}


def saved_images(run: Path, stage: int) -> int:
    """How far a stage was when it last saved; 0 before that."""
    place = run / f"{STAGES[stage]}_last"
    if not checkpoint_exists(place):
        return 0
    return load_checkpoint(place, [])[1]["position"]["images"]


def tear(point: str, path: Path) -> None:
    """Leave half of what a write would have written."""
    step = point.partition(" ")[0]
    if step == "append":
        with path.open("ab") as file:
            file.write(b'{"kind": "train", "sta')
    elif step == "write" and path.parent.is_dir() and not path.exists():
        path.write_bytes(b"\x13half of a fi")


@dataclass
class Tally:
    """What happened.

    Attributes:
        points: All points of an undisturbed run, in the order of their first visit.
        hit: Points at which a child was killed, or at which the disk failed.
        starts: Calls of `fit`.
        most_lost: Images that were trained and not saved, at most.
        faults: What was wrong.
        codes: Exit codes of calls whose disk failed.
        seconds: It took.
    """

    points: list[str] = field(default_factory=list)
    hit: list[str] = field(default_factory=list)
    starts: int = 0
    most_lost: int = 0
    faults: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def undisturbed(lab: Laboratory, tally: Tally) -> dict[str, Any]:
    """Run once, note all points, and return the result."""
    path = lab.folder / "points.txt"
    seen: dict[str, None] = {}

    def note(point: str, _: Path) -> None:
        if point not in seen:
            seen[point] = None
            with path.open("a", encoding="utf-8") as file:
                file.write(point + "\n")

    run = lab.folder / "undisturbed"
    ended = lab.fit(run, note)
    assert isinstance(ended, Ended)
    if ended.code != 0:
        raise SystemExit(f"The undisturbed run ended with {ended.code}:\n{ended.said}")
    # What a run imports takes seconds. From here on, no child has to.
    for name in (lab.folder / "modules.txt").read_text(encoding="utf-8").splitlines():
        with suppress(Exception):
            import_module(name)
    tally.points = path.read_text(encoding="utf-8").splitlines()
    tally.faults += [f"written without a name: {name}" for name in _nameless(run, tally.points)]
    return result(run)


def _nameless(run: Path, points: list[str]) -> list[str]:
    """Files of a run that no step announced."""
    named = {point.partition(" ")[2] for point in points}
    places = {"": run, "cache": run.with_suffix(".cache")}
    files = [path for place in places.values() for path in place.rglob("*") if path.is_file()]
    names = {point_name("write", path, places).partition(" ")[2] for path in files}
    return sorted(names - named)


def covering(points: list[str]) -> list[str]:
    """A part of the points that has every kind of file and, of one checkpoint, every step."""
    every = [p for p in points if "vae_gan_last" in p and "optimizer" not in p]
    last = [p for p in points if p.split()[0] in ("append", "rename") and "data/" not in p]
    latents = [p for p in points if "latents/train/latents-" in p]
    kept = [p for p in points if "cache/pictures" in p]
    chosen = {*every, *last, *latents, *kept}
    return [p for p in points if p in chosen]


def _rounds(folder: Path, word: str, todo: list[str]) -> Iterator[Path]:
    """A new run folder for each round, while points are left and rounds help."""
    for number in range(6):
        before = len(todo)
        yield folder / f"{word}{number}"
        if not todo or len(todo) == before:
            return


def kill_at(lab: Laboratory, points: list[str], expected: dict[str, Any], tally: Tally) -> None:
    """Kill a run at each of these points, one after another, and restart it each time.

    A run is killed at the first point that is still to do. When it has ended and points are left,
    which a restarted run does not visit, another one is begun.
    """
    todo = list(points)
    for run in _rounds(lab.folder, "killed", todo):

        def watch(point: str, path: Path) -> None:
            if point in todo:
                lab.note(point)
                tear(point, path)
                os.kill(os.getpid(), signal.SIGKILL)

        killed: Ended | None = None
        while True:
            ended = lab.fit(run, watch)
            assert isinstance(ended, Ended)
            tally.starts += 1
            _check_start(lab, run, killed, ended, tally)
            if ended.code is not None:
                break
            todo.remove(ended.point)
            tally.hit.append(ended.point)
            killed = ended
        _check_end(run, ended, expected, tally)
    tally.faults += [f"never reached: {point}" for point in todo]


def _check_start(
    lab: Laboratory, run: Path, before: Ended | None, now: Ended, tally: Tally
) -> None:
    """That a kill loses no more than a step, and that the next call begins where it was saved."""
    if now.code is None:
        lost = now.seen - saved_images(run, now.stage)
        tally.most_lost = max(tally.most_lost, lost)
        if lost > BATCH:
            tally.faults.append(f"{now.point}: {lost} images lost")
    if before is None or before.seen == 0 or now.stage != before.stage or now.seen == 0:
        return
    if now.first < before.seen - BATCH:
        tally.faults.append(f"{before.point}: went back from {before.seen} to {now.first}")


def _check_end(run: Path, ended: Ended, expected: dict[str, Any], tally: Tally) -> None:
    if ended.code != 0 or "Traceback" in ended.said:
        tally.faults.append(f"{run.name} ended with {ended.code}: {ended.said[-800:]}")
        return
    found = result(run)
    tally.faults += [
        f"{run.name}: other {name}" for name in expected if found[name] != expected[name]
    ]
    left = [p for p in run.rglob(".*") if p.name not in (".lock",)]
    tally.faults += [f"left behind: {path}" for path in left if path.suffix in (".new", ".old")]
    tally.faults += [f"left behind: {path}" for path in left if ".new." in path.name]


class BadDisk:
    """A watcher that lets steps fail: each of some points once, or all steps from the first on.

    Arguments:
        points: Where it fails.
        number: The system's number of the error.
        log: Where it notes the points, for the parent.
        for_good: Whether it stays broken.
    """

    def __init__(self, points: list[str], number: int, log: Path, *, for_good: bool) -> None:
        self.points = points
        self.number = number
        self.log = log
        self.for_good = for_good
        self.broken = False
        log.write_text("", encoding="utf-8")

    def __call__(self, point: str, path: Path) -> None:
        if point in self.points and not self.broken:
            self.points.remove(point)
            self.broken = self.for_good
            with self.log.open("a", encoding="utf-8") as file:
                file.write(point + "\n")
            tear(point, path)
        elif not self.broken:
            return
        raise OSError(self.number, os.strerror(self.number))

    def hit(self) -> list[str]:
        """The points at which it failed."""
        return self.log.read_text(encoding="utf-8").splitlines()


def fail_at(
    lab: Laboratory,
    points: list[str],
    expected: dict[str, Any],
    tally: Tally,
    *,
    for_good: bool,
) -> None:
    """Let the disk fail at each of these points, once or for good, and restart where it must.

    A call ends with code 0, when what failed was not needed, or with 1 and a message.
    """
    todo = list(points)
    for run in _rounds(lab.folder, "good" if for_good else "once", todo):
        while True:
            number = ERRORS[len(tally.hit) % len(ERRORS)]
            disk = BadDisk(list(todo), number, lab.folder / "failed.txt", for_good=for_good)
            ended = lab.fit(run, disk)
            assert isinstance(ended, Ended)
            tally.starts += 1
            hit = disk.hit()
            for point in hit:
                todo.remove(point)
                tally.hit.append(point)
            if not hit:
                break
            _check_message(hit, number, ended, tally)
        _check_end(run, ended, expected, tally)
    tally.faults += [f"never reached: {point}" for point in todo]


def _check_message(hit: list[str], number: int, ended: Ended, tally: Tally) -> None:
    """That a call whose disk failed says so in a sentence."""
    what = hit[-1] if hit else "no point"
    if ended.code not in (0, 1):
        tally.faults.append(f"{what}: exit code {ended.code}: {ended.said[-800:]}")
    if "Traceback" in ended.said:
        tally.faults.append(f"{what}: a traceback: {ended.said[-1500:]}")
    if ended.code == 1 and os.strerror(number).lower() not in ended.said.lower():
        full = "the disk is full" in ended.said
        if not full:
            tally.faults.append(f"{what}: no reason given: {ended.said[-800:]}")
    tally.codes[what] = -1 if ended.code is None else ended.code


class SlowCopies:
    """A watcher that copies a run folder while it runs, a few files at each step on the disk.

    Arguments:
        run: The run folder.
        begins: Numbers of the new points at which a copy is begun, and where it goes.
    """

    def __init__(self, run: Path, begins: dict[int, Path]) -> None:
        self.run = run
        self.begins = begins
        self.seen: set[str] = set()
        self.copying: list[tuple[Path, list[Path]]] = []

    def __call__(self, point: str, path: Path) -> None:
        if point not in self.seen:
            self.seen.add(point)
            place = self.begins.get(len(self.seen))
            if place is not None:
                files = [path for path in sorted(self.run.rglob("*")) if path.is_file()]
                self.copying.append((place, files))
        for place, files in self.copying:
            for _ in range(min(3, len(files))):
                self._copy(files.pop(0), place)

    def _copy(self, path: Path, place: Path) -> None:
        copy = place / path.relative_to(self.run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it was there when the copy began
            shutil.copyfile(path, copy)


def copy_while_it_runs(
    lab: Laboratory, expected: dict[str, Any], tally: Tally, *, copies: int
) -> None:
    """Copy a run folder while it runs, and resume each copy.

    A copy must become the same run, or say in a sentence what is missing or broken in it.
    """
    run, count = lab.folder / "copied", len(tally.points)
    places = {count * (k + 1) // (copies + 1): lab.folder / f"copy{k}" for k in range(copies)}
    ended = lab.fit(run, SlowCopies(run, places))
    assert isinstance(ended, Ended)
    _check_end(run, ended, expected, tally)
    for place in places.values():
        ended = lab.fit(place)
        assert isinstance(ended, Ended)
        tally.starts += 1
        tally.hit.append(place.name)
        tally.codes[place.name] = -1 if ended.code is None else ended.code
        if ended.code == 0:
            _check_end(place, ended, expected, tally)
        elif ended.code != 1 or "Traceback" in ended.said or "latentbloom: " not in ended.said:
            tally.faults.append(f"{place.name}: {ended.code} {ended.said[-800:]}")


def quick(lab: Laboratory, expected: dict[str, Any], tally: Tally) -> dict[str, Tally]:
    """A part of everything, for the tests."""
    chosen = covering(tally.points)
    found = {"points": tally, "kill": Tally(), "good": Tally(), "once": Tally(), "copy": Tally()}
    kill_at(lab, chosen, expected, found["kill"])
    fail_at(lab, chosen[::4], expected, found["good"], for_good=True)
    fail_at(lab, chosen[2::4], expected, found["once"], for_good=False)
    found["copy"].points = tally.points
    copy_while_it_runs(lab, expected, found["copy"], copies=3)
    return found


def main() -> int:
    """Run, and print what happened as JSON; returns 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kill", "fail", "copy", "points", "quick"))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th point")
    args = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="latentbloom-crashes-"))
    tally = Tally()
    found: dict[str, Tally] = {}
    try:
        few = args.what == "quick"
        lab = Laboratory(
            folder, drawings=FEW_DRAWINGS if few else None, images=2 * BATCH if few else IMAGES
        )
        expected = undisturbed(lab, tally)
        if args.what == "quick":
            found = quick(lab, expected, tally)
        else:
            found = {args.what: tally}
            some = tally.points[:: args.every]
            if args.what == "kill":
                kill_at(lab, some, expected, tally)
            elif args.what == "fail":
                fail_at(lab, some, expected, tally, for_good=True)
                fail_at(lab, some, expected, tally, for_good=False)
            elif args.what == "copy":
                copy_while_it_runs(lab, expected, tally, copies=40)
    except KeyboardInterrupt:
        tally.faults.append("interrupted: what follows is not all")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tally.seconds = round(time.monotonic() - began, 1)
    print(json.dumps({name: one.__dict__ for name, one in found.items()}, indent=1))
    return 1 if any(one.faults for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
