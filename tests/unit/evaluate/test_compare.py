"""Differences that are called differences, and those that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from latentbloom.cli.main import main
from latentbloom.errors import RunFolderError
from latentbloom.evaluate.comparison import compare_table, measures
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.score_table import score_rows
from latentbloom.evaluate.scores import ControlScore, DistanceScore, PictureScores, Scores


def scores(fd: float, kid: float, *, reach: float, n: int = 500) -> Scores:
    def distance(name: str, value: float, reach: float) -> DistanceScore:
        exact = Interval(value=1.0, low=1.0, high=1.0)
        interval = Interval(value=value, low=value - reach, high=value + reach)
        return DistanceScore(name=f"{name}@{n}/net/112", value=interval, floor=exact)

    pictures = PictureScores(
        features="net/112",
        samples=n,
        val=500,
        frechet=distance("FD", fd, reach),
        kernel=distance("KID", kid, reach / 1000),
        manifold={"recall": Interval(value=0.5, low=0.4, high=0.6)},
        manifold_floor={"recall": Interval(value=0.7, low=0.6, high=0.8)},
        control=(),
        diversity=(),
        copying=None,
        notes=(),
    )
    return Scores(short=False, seed=0, reconstruction=None, pictures=pictures, seconds={})


def shown(*all_scores: Scores) -> str:
    console = Console(width=160)
    names = [f"run{i}" for i in range(len(all_scores))]
    with console.capture() as capture:
        console.print(compare_table(names, all_scores))
    return capture.get()


def line(text: str, what: str) -> str:
    return next(row for row in text.splitlines() if what in row)


def test_a_difference_beyond_chance_has_a_winner() -> None:
    text = shown(scores(50.0, 0.04, reach=3.0), scores(40.0, 0.04, reach=3.0))
    assert "run1 is better" in line(text, "samples FD")
    assert "none beyond chance" in line(text, "samples KID")
    assert "none beyond chance" in line(text, "recall")


def test_noise_is_said_to_be_none() -> None:
    # Half-widths of 3 and 3: root of 18 is 4.2, more than the 4 between them.
    assert "none beyond chance" in line(
        shown(scores(44.0, 0.04, reach=3.0), scores(40.0, 0.04, reach=3.0)), "samples FD"
    )
    assert "run1 is better" in line(
        shown(scores(44.5, 0.04, reach=3.0), scores(40.0, 0.04, reach=3.0)), "samples FD"
    )


def test_a_winner_beats_every_other() -> None:
    text = shown(*(scores(fd, 0.1, reach=1.0) for fd in (60.0, 40.0, 40.5)))
    assert "none beyond chance" in line(text, "samples FD")


def test_other_numbers_of_pictures_are_not_compared() -> None:
    text = shown(scores(50.0, 0.04, reach=1.0, n=500), scores(10.0, 0.04, reach=1.0, n=400))
    assert "not comparable" in line(text, "samples FD")


def test_extrapolated_distances_compare_other_numbers_of_pictures() -> None:
    def with_limit(value: float, n: int, features: str = "net/112") -> Scores:
        one = scores(50.0, 0.04, reach=1.0, n=n)
        limit = Interval(value=value, low=value - 1, high=value + 1)
        frechet = one.pictures.frechet.model_copy(update={"limit": limit, "limit_floor": limit})
        update = {"frechet": frechet, "features": features}
        return one.model_copy(update={"pictures": one.pictures.model_copy(update=update)})

    text = shown(with_limit(20.0, 500), with_limit(10.0, 400))
    assert "run1 is better" in line(text, "samples FD, extrapolated")
    text = shown(with_limit(20.0, 500), with_limit(10.0, 500, "other/112"))
    assert "not comparable" in line(text, "samples FD, extrapolated")
    rows = {row.what: row for row in score_rows(with_limit(20.0, 500).pictures)}
    assert rows["samples FD, extrapolated"][1:4] == ("20.0", "19.0 to 21.0", "20.0")


def test_scores_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    exact = Interval(value=1.0, low=1.0, high=1.0)
    control = ControlScore(
        factor="smiling",
        values=("no", "yes"),
        asked=(1, 1),
        met=(exact, exact),
        mean=exact,
        real=(exact, exact),
        real_mean=exact,
        confusion=((1, 0), (0, 1)),
        real_confusion=((1, 0), (0, 1)),
        trained_on_samples=exact,
    )
    now = scores(50.0, 0.04, reach=3.0)
    now = now.model_copy(
        update={"pictures": now.pictures.model_copy(update={"control": (control,)})}
    )
    now.save(tmp_path / "scores.json")
    assert Scores.load(tmp_path / "scores.json") == now
    text = (tmp_path / "scores.json").read_text(encoding="utf-8")
    data = json.loads(text.replace("trained_on_samples", "taught_by_samples"))
    for distance in ("frechet", "kernel"):
        del data["pictures"][distance]["limit"], data["pictures"][distance]["limit_floor"]
    (tmp_path / "scores.json").write_text(json.dumps(data), encoding="utf-8")
    assert Scores.load(tmp_path / "scores.json") == now


def test_more_recall_is_better() -> None:
    recall = measures([scores(1.0, 1.0, reach=1.0)] * 2)[2]
    assert recall.what == "samples recall"
    assert recall.higher


def test_scores_come_back_from_disk(tmp_path: Path) -> None:
    before = scores(50.0, 0.04, reach=3.0)
    before.save(tmp_path / "scores.json")
    assert Scores.load(tmp_path / "scores.json") == before
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_a_run_without_scores_is_told_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(
        RunFolderError, match=r"There is no .*Score the run first: latentbloom eval"
    ):
        Scores.load(tmp_path / "scores.json")


def test_scores_of_other_software_are_told(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"fid": 3}')
    with pytest.raises(RunFolderError, match="cannot be read as scores of this version"):
        Scores.load(tmp_path / "scores.json")


def test_one_run_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path)]) == 2
    assert "name two runs or more" in capsys.readouterr().err
