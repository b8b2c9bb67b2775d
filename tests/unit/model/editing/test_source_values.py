"""What a picture shows, found by the class head, the training latents or the denoiser."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float
from latentbloom.diffusion.schedule import FlowSchedule
from latentbloom.latents.encode import encode_raw_latents, finish_latents
from latentbloom.model.editing.source_values import probabilities_of
from latentbloom.model.generator import Model
from latentbloom.nn.autoencoders.classic import LatentClasses
from shown_run import coloured_pictures, open_splits, untrained_model


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ImageSet]:
    return open_splits(coloured_pictures(tmp_path_factory.mktemp("data")))


@pytest.fixture
def model(splits: dict[str, ImageSet]) -> Model:
    return untrained_model(splits["train"])


def latents(model: Model, images: ImageSet) -> torch.Tensor:
    return model.encode(to_float(images.images(range(len(images))))).mean


def accuracy(model: Model, images: ImageSet) -> dict[str, float]:
    found = probabilities_of(model, latents(model, images))
    cond = images.cond(range(len(images)))
    for rows in found.values():
        torch.testing.assert_close(rows.sum(dim=1), torch.ones(len(images)))
    return {name: float((found[name].argmax(dim=1) == cond[name]).float().mean()) for name in found}


def test_the_training_latents_of_the_run_know_the_labels(
    model: Model, splits: dict[str, ImageSet], tmp_path: Path
) -> None:
    folder = tmp_path / "latents" / "train"
    encode_raw_latents(
        model.autoencoder,
        splits["train"],
        folder,
        mirror=False,
        device=model.device,
        autocast_dtype=None,
    )
    finish_latents(model.autoencoder, splits["train"], folder, mirror=False, fingerprint="x")
    model.run = tmp_path
    assert min(accuracy(model, splits["val"]).values()) >= 0.9


def test_broken_latents_leave_it_to_the_denoiser(
    model: Model, splits: dict[str, ImageSet], tmp_path: Path
) -> None:
    z = latents(model, splits["val"])[:2]
    expected = probabilities_of(model, z)
    (tmp_path / "latents" / "train").mkdir(parents=True)
    model.run = tmp_path
    found = probabilities_of(model, z)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_denoiser_prefers_the_value_that_explains_the_picture(
    model: Model, splits: dict[str, ImageSet]
) -> None:
    """A denoiser that knows two classes exactly: latents of mean -1 and +1 in the first factor."""

    class Exact:
        schedule = FlowSchedule()

        def __call__(
            self, x_t: torch.Tensor, t: torch.Tensor, cond: dict[str, torch.Tensor]
        ) -> torch.Tensor:
            alpha, sigma = (s[:, None, None, None] for s in self.schedule(t))
            mean = torch.tensor([-1.0, 1.0, 0.0])[cond["colour"]][:, None, None, None]
            return mean + alpha * 0.25 / (alpha**2 * 0.25 + sigma**2) * (x_t - alpha * mean)

    model.denoiser = Exact()  # type: ignore[assignment]
    noise = torch.randn(6, *model.autoencoder.latent_shape, generator=torch.Generator())
    means = torch.tensor([-1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
    found = probabilities_of(model, means[:, None, None, None] + 0.5 * noise)
    assert found["colour"].argmax(dim=1).tolist() == [0, 1, 0, 1, 1, 0]
    assert found["colour"].amax(dim=1).min() > 0.99
    assert (found["height"] - 0.5).abs().max() < 0.01  # it makes no difference: equal odds


def test_a_class_head_is_asked_first(model: Model, splits: dict[str, ImageSet]) -> None:
    z = latents(model, splits["val"])[:3]
    head = LatentClasses(z[0].numel(), model.spec)
    model.autoencoder.classes = head
    model.autoencoder.set_normalisation(torch.full((4,), 0.3), torch.full((4,), 2.0))
    expected = head.logits((z * 2 + 0.3).flatten(1))
    found = probabilities_of(model, z)
    for name, logits in expected.items():
        torch.testing.assert_close(found[name], logits.softmax(dim=1))
