"""Clusters of similar pictures: found, trained with, and sampled from."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import DenoiserConfig, SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.diffusion.classifier_free import ClassifierFreeGuidance
from latentbloom.diffusion.objective import drop_conditions
from latentbloom.errors import ConfigError, LatentbloomError
from latentbloom.fitting.pipeline import fit
from latentbloom.fitting.planning.choices import with_clusters
from latentbloom.latents.clustering import MOST_ROWS, cluster_rows, read_clusters, write_clusters
from latentbloom.latents.feature_maps import FeatureMaps, write_feature_maps
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.model.build import build_denoiser
from latentbloom.model.generator import load
from latentbloom.nn.backbones.conditioning import CLUSTER, ConditionEmbedding
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.train.loop import Trainer
from tiny_run import TINY, make_pictures, tiny_config

CLUSTERED = {
    **TINY,
    "vae_gan.perceptual": "efficientnet-lite0",
    "train.starter": False,
    "denoiser.clusters": 3,
    "diffusion.self_guidance": 1.5,
}
SPEC = ConditionSpec((Factor("label", ("day", "night")),))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def images(pictures: Path) -> ImageSet:
    source = open_source(SourceOptions(source=str(pictures)))
    train = [entry for entry in source.entries if entry.split == "train"]
    return ImageSet(source, train, size=32, channels=1, fit="crop")


@pytest.fixture(autouse=True)
def quick_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("_score", "_pictures", "_guide"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patched:
        for part in ("_score", "_pictures", "_guide"):
            patched.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
        fit(pictures, out=place, overrides=CLUSTERED, console=Console(quiet=True))
    return place


def test_similar_pictures_share_a_cluster(tmp_path: Path, images: ImageSet) -> None:
    network = build_perceptual("efficientnet-lite0")
    assert network is not None
    write_feature_maps(network, images, tmp_path, (2, 2), torch.device("cpu"))
    maps = FeatureMaps(tmp_path, images.fingerprint, (2, 2))
    write_clusters(maps, tmp_path, images.fingerprint, len(images), 2)
    found = read_clusters(tmp_path, images.fingerprint, len(images), 2)
    day = torch.from_numpy(np.asarray(images.labels)[:, 0] == 0)
    assert len(found[day].unique()) == len(found[~day].unique()) == 1
    assert set(found.tolist()) == {1, 2}
    written = (tmp_path / "clusters.npy").stat().st_mtime_ns
    write_clusters(maps, tmp_path, images.fingerprint, len(images), 2)
    assert (tmp_path / "clusters.npy").stat().st_mtime_ns == written
    for mark, count, clusters in (("other", 24, 2), (images.fingerprint, 24, 3), ("other", 9, 2)):
        with pytest.raises(LatentbloomError, match="of other pictures"):
            read_clusters(tmp_path, mark, count, clusters)
    (tmp_path / "clusters.npy").write_bytes(b"broken")
    with pytest.raises(LatentbloomError, match="holds no clusters"):
        read_clusters(tmp_path, images.fingerprint, len(images), 2)


def test_rows_say_which_clusters_go_with_which_labels() -> None:
    labels = torch.tensor([[0, 1], [0, 1], [1, 1], [0, 1]])
    assert cluster_rows(labels, torch.tensor([2, 2, 1, 3])) == [
        [0, 1, 2, 2],
        [0, 1, 3, 1],
        [1, 1, 1, 1],
    ]
    many = torch.arange(3 * MOST_ROWS)[:, None]
    rows = cluster_rows(many, torch.ones(len(many), dtype=torch.long))
    assert len(rows) == MOST_ROWS
    assert rows[0][0] < 20 < 2 * MOST_ROWS < rows[-1][0]  # from all over


def test_a_cluster_that_is_not_named_is_open() -> None:
    torch.manual_seed(0)
    embedding = ConditionEmbedding(SPEC, 8, clusters=4)
    cond = SPEC.encode({"label": "day"}, 2)
    named = embedding(cond | {CLUSTER: torch.tensor([0, 3])})
    assert torch.equal(named[0], embedding(cond)[0])
    assert not torch.equal(named[1], named[0])
    assert "clusters.weight" not in ConditionEmbedding(SPEC, 8).state_dict()


def test_guidance_leaves_label_and_cluster_open() -> None:
    torch.manual_seed(0)
    config = tiny_config()
    network = DenoiserConfig(width=32, depth=1, head_width=16, clusters=4)
    denoiser = build_denoiser(network, config.diffusion, SPEC, (4, 4, 4))
    for weights in denoiser.backbone.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    x, t = torch.randn(3, 4, 4, 4), torch.full((3,), 0.5)
    cond = SPEC.encode({"label": "day"}, 3)
    told = cond | {CLUSTER: torch.tensor([1, 2, 0])}
    with torch.no_grad():
        guided = ClassifierFreeGuidance(denoiser, SPEC, 2.0)(x, t, told)
        under, free = denoiser(x, t, told), denoiser(x, t, SPEC.null_like(cond))
    torch.testing.assert_close(guided, free + 2.0 * (under - free))
    assert (under - denoiser(x, t, cond)).flatten(1).abs().amax(1)[:2].min() > 1e-4


def test_a_cluster_is_dropped_with_everything_and_alone() -> None:
    count = 4000
    cond = SPEC.encode({"label": "day"}, count) | {CLUSTER: torch.full((count,), 5)}
    u = torch.rand(count, 3, generator=torch.Generator().manual_seed(0))
    dropped = drop_conditions(SPEC, cond, u, drop_all=0.1, drop_each=0.2, drop_beside=0.3)
    label, cluster = dropped["label"] == SPEC.factor("label").null_index, dropped[CLUSTER] == 0
    assert set(dropped[CLUSTER].tolist()) == {0, 5}
    assert float((label & cluster).float().mean()) == pytest.approx(0.1 + 0.9 * 0.06, abs=0.02)
    assert float((label & ~cluster).float().mean()) == pytest.approx(0.9 * 0.14, abs=0.02)
    assert float((cluster & ~label).float().mean()) == pytest.approx(0.9 * 0.24, abs=0.02)


def test_samples_know_their_clusters(run: Path) -> None:
    model = load(run)
    assert model.clusters is not None
    assert model.clusters.count == 3
    assert int(model.clusters.rows[:, -1].sum()) == 24
    told = model.sample({"label": "day"}, n=6, seed=3)
    again = model.sample({"label": "day"}, seed=3, indices=[4])
    assert np.array_equal(again.pixels[0], told.pixels[4])  # whatever it is sampled with
    model.clusters = None
    left_open = model.sample({"label": "day"}, n=6, seed=3)
    assert not np.array_equal(left_open.pixels, told.pixels)


def test_noise_that_is_given_leaves_the_cluster_open_unless_it_is_named(run: Path) -> None:
    from latentbloom.model.request import Request

    model, request = load(run), Request({"label": "day"}, 4, seed=3)
    assert model.clusters is not None
    noise = request.noise(model.autoencoder.latent_shape)

    def last(**given: Any) -> torch.Tensor:
        return [*model.states(request, sampler="dpm++", **given)][-1].x_t

    plain, drawn = last(x_1=noise), model.clusters.draw(request.cond(model.spec), 3, range(4))
    assert torch.equal(last(x_1=noise, cluster=drawn), last())
    assert not torch.equal(plain, last())
    model.clusters = None
    assert torch.equal(plain, last())


def test_an_interrupted_stage_2_ends_with_the_same_weights(
    run: Path, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, step = 0, Trainer.step
    stopped = tmp_path / "stopped"

    def interrupted(self: Trainer, progress: float) -> dict[str, torch.Tensor]:
        nonlocal steps
        steps += self.stage.name == "diffusion" and self.run == stopped
        if steps == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self, progress)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", interrupted)
        fit(pictures, out=stopped, overrides=CLUSTERED, console=Console(quiet=True))
    (stopped / "latents/train/clusters.npy").unlink()  # found again
    fit(pictures, out=stopped, overrides=CLUSTERED, console=Console(quiet=True))
    found = [load_checkpoint(p / "conditional_diffusion_final", ["model"]) for p in (run, stopped)]
    (whole, about), (resumed, about_resumed) = found
    assert about["clusters"] == about_resumed["clusters"]
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, resumed["model"][name]), name


def test_a_run_of_a_version_without_clusters_goes_on_without(
    run: Path, tmp_path: Path, pictures: Path
) -> None:
    place = tmp_path / "run"
    plain = CLUSTERED | {"denoiser.clusters": 0}
    fit(pictures, out=place, overrides=plain, console=Console(quiet=True))
    assert not (place / "latents/train/clusters.npy").exists()
    tensors, meta = load_checkpoint(place / "conditional_diffusion_final", ["model"])
    del meta["config"]["clusters"], meta["clusters"]
    save_checkpoint(place / "conditional_diffusion_final", tensors, meta)
    assert load(place).clusters is None
    assert load(run).clusters is not None


def planned(count: int, spec: ConditionSpec = SPEC, **settings: Any) -> int | None:
    settings = {"vae_gan__perceptual": "efficientnet-lite0"} | settings
    config = with_clusters(tiny_config(**settings), spec, count)
    assert config.denoiser is not None
    return config.denoiser.clusters


def test_few_labels_of_many_pictures_have_clusters_unless_the_request_says_otherwise() -> None:
    more = ConditionSpec((*SPEC.factors, Factor("place", ("sea", "town", "wood"))))
    assert planned(4000) == 64
    assert planned(3999) == 0
    assert (planned(11_999, more), planned(12_000, more)) == (0, 64)
    assert planned(4000, denoiser__clusters=0) == 0
    assert planned(100, denoiser__clusters=8) == 8
    # Nothing to find them by.
    assert planned(4000, diffusion__alignment_weight=0.0) == 0
    assert planned(4000, vae_gan__perceptual="none") == 0
    assert planned(4000, denoiser__kind="unet") == 0
    with pytest.raises(ConfigError, match=r"denoiser\.clusters is 8\. Clusters are found in the"):
        planned(4000, denoiser__clusters=8, diffusion__alignment_weight=0.0)
    with pytest.raises(ConfigError, match="is 8, and there are 7 training pictures"):
        planned(7, denoiser__clusters=8)
