"""What the scores of several runs compare with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from latentbloom.errors import RunFolderError
from latentbloom.evaluate.scores import Scores
from latentbloom.runs.folder import RunFolder


def held_out_title(names: Sequence[str], sources: Sequence[str]) -> str:
    """A heading that says which pictures the runs' own scores compare with."""
    if len(set(sources)) == 1:
        return f"Runs side by side, against held-out pictures of {sources[0]}"
    own = ", ".join(f"{name}: {source}" for name, source in zip(names, sources, strict=True))
    return (
        "Runs side by side, each against held-out pictures of its own source, so that distances "
        f"do not say which is better ({own})"
    )


def against_all(runs: Sequence[Path]) -> Iterator[tuple[str, list[Scores]]]:
    """Scores against other sources that every run was compared with, each with a heading."""
    found = [[*_scores_against(RunFolder(run))] for run in runs]
    for first in found[0]:
        assert first.against is not None
        same = [
            next((s for s in of_run if s.against and s.against.same_set(first.against)), None)
            for of_run in found
        ]
        common = [scores for scores in same if scores is not None]
        if len(common) == len(runs):
            yield f"Runs side by side, against all pictures of {first.against.title}", common


def _scores_against(folder: RunFolder) -> Iterator[Scores]:
    for path in folder.all_scores_against:
        try:
            scores = Scores.load(path)
        except RunFolderError:
            continue
        if scores.against is not None:
            yield scores
