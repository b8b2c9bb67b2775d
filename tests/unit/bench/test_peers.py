"""Other people's models: budgets of one training, averaged weights, what is not made again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench import peers
from bench.peer_models import PEERS, DiffusersUNet
from bench.peer_training import Trained, train_peer
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from tiny_run import make_pictures


class Toy:
    """One weight that its loss pushes down; it notes the weight at each step, and when it drew."""

    lr = 0.1
    package = "diffusers"
    describe = "one weight"

    def __init__(self, classes: int = 2, channels: int = 1, size: int = 8) -> None:
        self.net = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.net.weight, 5.0)
        self.seen: list[float] = []
        self.classes, self.shape = classes, (channels, size, size)

    def loss(self, images: Tensor, classes: Tensor) -> Tensor:
        assert int(classes.max()) < self.classes
        self.seen.append(self.net.weight.item())
        return self.net.weight.square().sum()

    def sample(self, classes: Tensor) -> Tensor:
        return self.net.weight.detach().reshape(1, 1, 1, 1).expand(len(classes), *self.shape) / 10


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("toy") / "toy", per_label=20, size=8)


def image_set(folder: Path) -> ImageSet:
    source = open_source(folder)
    return ImageSet(source, [e for e in source.entries if e.split == "train"], size=8, channels=1)


def ticking(seconds: float) -> Iterator[float]:
    """A clock that advances by so much each time it is read."""
    now = 0.0
    while True:
        yield now
        now += seconds


def train(folder: Path, budgets: list[float]) -> tuple[Toy, list[Trained]]:
    torch.manual_seed(0)
    images, toy, clock = image_set(folder), Toy(), ticking(1.0)
    classes = torch.from_numpy(images.labels)[:, 0]
    done = list(
        train_peer(
            toy,
            images,
            classes,
            budgets,
            low=False,
            say=lambda _: None,
            clock=lambda: next(clock),
        )
    )
    return toy, done


def test_a_training_serves_several_budgets(pictures: Path) -> None:
    """A look takes a second of this clock, which must not count."""
    toy, (first, second) = train(pictures, [9.0, 4.0])
    assert (first.budget, second.budget) == (4.0, 9.0)
    assert (first.steps, second.steps) == (4, 9)
    assert (first.images, second.images) == (4 * 32, 9 * 32)
    assert len(toy.seen) == 9, "the second budget continues the first one"


def test_the_average_is_that_of_the_weights_of_its_budget(pictures: Path) -> None:
    """Written out: each weight counts with what later decays have left of it."""
    toy, done = train(pictures, [4.0, 9.0])
    weights = [*toy.seen, toy.net.weight.item()]  # before the first step, and after each
    for one in done:
        decays = [min(0.995, k / (k + 10)) for k in range(1, one.steps + 1)]
        left = torch.tensor([1.0, *(1 - d for d in decays)], dtype=torch.float64)
        for k, decay in enumerate(decays):
            left[: k + 1] *= decay
        assert left.sum() == pytest.approx(1.0)
        expected = float(left @ torch.tensor(weights[: one.steps + 1], dtype=torch.float64))
        assert one.average["weight"].item() == pytest.approx(expected, abs=1e-5)
    assert done[0].average["weight"] != done[1].average["weight"]


def test_combinations_have_classes_of_their_own() -> None:
    spec = ConditionSpec((Factor("kind", ("a", "b")), Factor("colour", ("r", "g", "b"))))
    labels = torch.cartesian_prod(torch.arange(3), torch.arange(4))  # with "any"
    assert sorted(peers.classes_of(labels, spec).tolist()) == list(range(12))


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setitem(PEERS, "diffusers-unet", Toy)
    shape = ["--size", "8", "--channels", "1"]
    monkeypatch.setattr(
        sys, "argv", ["peers.py", "diffusers-unet", *(str(word) for word in words), *shape]
    )
    assert peers.main() == 0


def test_what_is_there_is_not_made_again(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = ["--minutes", 0.002, 0.004, "--out", tmp_path / "peer"]
    first, second = (tmp_path / "peer" / name for name in ("0.002", "0.004"))
    call(monkeypatch, pictures, *minutes, "-n", 6)
    records = json.loads((second / "records.json").read_text(encoding="utf-8"))
    assert [one["cond"]["label"] for one in records["pictures"]].count("day") == 3
    assert len(list(second.glob("*.png"))) == 6
    assert records["command"].startswith("python -m bench.peers diffusers-unet")
    trained = json.loads((first / "training.json").read_text(encoding="utf-8"))
    assert trained["seconds"] >= 0.12

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it is there already")

    monkeypatch.setattr(peers, "train_peer", refuse)
    call(monkeypatch, pictures, *minutes, "-n", 4)  # other samples of the same weights
    assert len(list(first.glob("*.png"))) == 4
    (second / "records.json").unlink()
    monkeypatch.setattr(peers, "sample_peer", count := Counted(peers.sample_peer))
    call(monkeypatch, pictures, *minutes, "-n", 4)
    assert count.calls == 1, "samples of the first budget are still there"
    with pytest.raises(AssertionError, match="already"):
        call(monkeypatch, pictures, "--minutes", 0.003, "--out", tmp_path / "peer", "-n", 4)


class Counted:
    """Counts calls, and passes them on."""

    def __init__(self, call) -> None:  # type: ignore[no-untyped-def]
        self.call, self.calls = call, 0

    def __call__(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.calls += 1
        return self.call(*args, **kwargs)


def test_diffusers_takes_what_it_is_given() -> None:
    """Its interface: a loss that reaches every weight, and a picture a class within bounds."""
    torch.manual_seed(0)
    peer = DiffusersUNet(classes=2, channels=1, size=16)
    peer.loss(torch.rand(2, 1, 16, 16) * 2 - 1, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None for p in peer.net.parameters())
    with torch.no_grad():
        drawn = peer.sample(torch.tensor([0, 1]))
    assert drawn.shape == (2, 1, 16, 16)
    assert drawn.isfinite().all()
    assert drawn.abs().max() <= 1.0 + 1e-4
