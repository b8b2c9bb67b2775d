"""Measures speed and quality beside other people's models, and writes results.md.

    python -m bench                  # a synthetic source, 2 minutes a model, about 15 in all
    python -m bench --full --source pictures/ --minutes 20 60

Each measurement is a program in this folder that writes a JSON file to the work folder, and that
can be called on its own. Existing results are not measured again, so an interrupted benchmark can
be called once more. The page is written from the files alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.page import page
from bench.peer_models import PEERS
from bench.work import OURS, Work, is_finished, shape_of
from latentbloom.errors import LatentbloomError

HERE = Path(__file__).parent


def measure(
    work: Work,
    source: str,
    minutes: Sequence[float],
    peers: Sequence[str],
    *,
    n: int,
    map_samples: int,
    whole: bool,
    train: bool,
) -> None:
    """Make every missing result. One that fails is left out of the page.

    Arguments:
        work: The work folder.
        source: What to train on.
        minutes: The budgets.
        peers: Names of the other models.
        n: Samples of each model that are scored.
        map_samples: Samples of each setting that is tried for a quality.
        whole: Also score ours on as many samples as there are held-out pictures.
        train: Train what is missing.
    """
    for budget in minutes:
        run = work.run(OURS, budget)
        if not (work.fit(source, budget) if train else is_finished(run)):
            continue
        same = ["-n", str(n), "--per-label", "0"]
        work.call("bench.score", run, source, *same, "--json", work.scores(OURS, budget))
        if whole:
            scores = work.scores(OURS, budget, whole=True)
            work.call("bench.score", run, source, "--per-label", "0", "--json", scores)
    ours = {budget: run for budget in minutes if is_finished(run := work.run(OURS, budget))}
    shape = shape_of(list(ours.values()))
    for name in peers:
        if train:
            budgets = ["--minutes", *(f"{budget:g}" for budget in minutes)]
            made = [*budgets, "--out", work.path / name, "-n", str(n), *shape]
            work.call("bench.peers", name, source, *made)
        for budget in minutes:
            folder, scores = work.run(name, budget), work.scores(name, budget)
            if (folder / "records.json").is_file():
                same = ["-n", str(n), *shape[:4], "--json", scores]
                work.call("bench.score", folder, source, *same)
    for budget, run in ours.items():
        work.call("bench.speed", run, "--json", work.speed(budget))
    if ours:
        longest = max(ours)
        some = ["-n", str(n), "--map-samples", str(map_samples)]
        work.call("bench.sampling", ours[longest], source, *some, "--json", work.sampling(longest))


def main() -> int:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure side by side.")
    parser.add_argument(
        "--full", action="store_true", help="20 and 60 minutes, 500 samples: takes hours"
    )
    parser.add_argument("--source", default="synthetic-flowers", metavar="SOURCE")
    parser.add_argument("--minutes", type=float, nargs="+", metavar="N", help="2, or 20 and 60")
    parser.add_argument(
        "-n", type=int, help="samples of each model that are scored (100, or 500 with --full)"
    )
    parser.add_argument(
        "--ours",
        action="append",
        default=[],
        metavar="N=RUN",
        help="use a copy of this finished run as the one of N minutes",
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=HERE / "results.md", metavar="FILE")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-train", action="store_true", help="measure only what is trained")
    parser.add_argument("--table", action="store_true", help="write the page, measure nothing")
    args = parser.parse_args()
    minutes = sorted(args.minutes or ([20.0, 60.0] if args.full else [2.0]))
    peers = () if args.no_peers else tuple(PEERS)
    work = Work(args.work)
    if not args.table:
        args.work.mkdir(parents=True, exist_ok=True)
        for given in args.ours:
            budget, _, run = given.partition("=")
            if not budget.replace(".", "", 1).isdigit() or not run:
                parser.error(f"--ours {given}: allowed is MINUTES=FOLDER, as in 20=runs/mine")
            work.take(Path(run), float(budget))
        measure(
            work,
            args.source,
            minutes,
            peers,
            n=args.n or (500 if args.full else 100),
            map_samples=256 if args.full else 64,
            whole=args.full,
            train=not args.no_train,
        )
    args.out.write_text(page(work, args.source, minutes, peers), encoding="utf-8")
    print(f"Written to {args.out}")
    for command in work.failed:
        print(f"Failed: {command}")
    return 1 if work.failed else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except LatentbloomError as error:
        raise SystemExit(f"bench: {error}") from None
