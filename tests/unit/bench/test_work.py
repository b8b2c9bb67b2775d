"""The benchmark's work folder: what is called, and what is not called again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.__main__ import measure
from bench.pieces import read_piece
from bench.work import OURS, Work
from latentbloom.config import RunConfig
from latentbloom.errors import LatentbloomError
from tiny_run import tiny_config


def finished_run(folder: Path, source: str = "faces") -> Path:
    """As much of a run as tells that it is finished, and how long it trained."""
    for name in ("vae_gan_final", "conditional_diffusion_final"):
        (folder / name).mkdir(parents=True)
        (folder / name / "meta.json").write_text("{}", encoding="utf-8")
    config: RunConfig = tiny_config(train__minutes=20.0)
    tree = config.model_dump(mode="json")
    (folder / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    tree["data"]["source"] = source
    (folder / "plan.json").write_text(json.dumps({"request": tree}), encoding="utf-8")
    lines = [("vae_gan", 10.0), ("vae_gan", 500.0), ("diffusion", 577.0)]
    told = [json.dumps({"stage": stage, "seconds": seconds}) for stage, seconds in lines]
    (folder / "metrics.jsonl").write_text("\n".join(told) + "\n", encoding="utf-8")
    return folder


@dataclass
class Noting(Work):
    """Notes the programs instead of running them; `fit` and peers leave what tells of them."""

    called: list[list[str]] = field(default_factory=list)

    def call(self, *words: str | Path) -> bool:
        said = [str(word) for word in words]
        self.called.append(said)
        if said[:2] == ["latentbloom", "fit"]:
            finished_run(Path(said[-1]))
        if said[0] == "bench.peers":
            after = said[said.index("--minutes") + 1 : said.index("--out")]
            for budget in after:
                folder = Path(said[said.index("--out") + 1]) / budget
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "records.json").write_text("{}", encoding="utf-8")
        return True

    def programs(self) -> list[str]:
        said = [" ".join(words[:2]) if words[0] == OURS else words[0] for words in self.called]
        self.called.clear()
        return said


def run(work: Work, *, source: str = "faces", train: bool = True) -> None:
    measure(work, source, [20.0, 60.0], ["other"], n=50, map_samples=8, whole=True, train=train)


def test_models_are_trained_once_and_scored_on_the_same_number(tmp_path: Path) -> None:
    work = Noting(tmp_path)
    run(work)
    scored = [words for words in work.called if words[0] == "bench.score"]
    counts = [words[words.index("-n") + 1] for words in scored if "-n" in words]
    assert counts == ["50"] * 4  # ours and the other, after 20 and 60 minutes
    assert len(scored) == 6  # and ours twice on as many as val has
    (peer,) = [words for words in work.called if words[0] == "bench.peers"]
    assert peer[peer.index("--minutes") + 1 : peer.index("--out")] == ["20", "60"]
    assert peer[peer.index("--size") + 1] == "32", "peers see the pictures at the run's size"
    (drawn,) = [words for words in work.called if words[0] == "bench.sampling"]
    assert drawn[1] == str(work.run(OURS, 60.0)), "samplers are compared on the longest run"
    assert work.programs().count("latentbloom fit") == 2

    run(Noting(tmp_path, called=(again := [])))
    assert not [words for words in again if words[:2] == ["latentbloom", "fit"]]


def test_without_training_only_what_is_there_is_measured(tmp_path: Path) -> None:
    work = Noting(tmp_path / "work")
    work.take(finished_run(tmp_path / "mine"), 20.0)
    run(work, train=False)
    assert work.programs() == ["bench.score", "bench.score", "bench.speed", "bench.sampling"]


def test_a_finished_run_is_taken_as_it_is(tmp_path: Path) -> None:
    mine = finished_run(tmp_path / "mine")
    work = Work(tmp_path / "work")
    work.take(mine, 20.0)
    assert (work.run(OURS, 20.0) / "plan.json").is_file()
    piece = read_piece(work.fitted(20.0))
    assert piece is not None
    assert piece["command"].startswith("python -m latentbloom fit faces --minutes 20 --out")
    assert piece["seconds"] == 1077.0  # both stages, by the log
    (work.run(OURS, 20.0) / "quality.json").write_text("{}", encoding="utf-8")
    work.take(mine, 20.0)
    assert (work.run(OURS, 20.0) / "quality.json").is_file(), "it was not copied again"
    with pytest.raises(LatentbloomError, match="holds another run"):
        work.take(finished_run(tmp_path / "yours"), 20.0)


def test_what_cannot_be_taken_says_so(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    with pytest.raises(LatentbloomError, match=r"half is no finished run of latentbloom"):
        Work(tmp_path / "work").take(tmp_path / "half", 20.0)
    run(Noting(tmp_path / "work"))
    with pytest.raises(LatentbloomError, match="was trained on faces, not on flowers"):
        run(Noting(tmp_path / "work"), source="flowers")
