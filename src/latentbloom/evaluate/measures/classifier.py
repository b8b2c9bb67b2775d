"""A classifier of conditions, trained on real pictures: does a sample show what was asked for?

No generator is ever trained with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import ConditionSpec
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.features.extractor import GRID_BLOCKS, Features, Progress
from latentbloom.foreign.json_files import read_json
from latentbloom.foreign.tensor_files import read_header
from latentbloom.storage.files import write_atomic

EPOCHS = 8
BATCH = 128
MIN_STEPS = 150
LEARNING_RATE = 1e-3
FEATURE_DROPOUT = 0.3
LABEL_SMOOTHING = 0.05
RECIPE = 2
"""Version of the training below: a stored classifier of another version is trained again."""

CHANNELS = {10: 88, 14: 120, 19: 208}
"""Channels of the blocks in `GRID_BLOCKS`."""


def _views() -> tuple[slice, slice]:
    """Columns of the two inputs: the earlier maps together, and the last one alone."""
    cells = [CHANNELS[block] * 16 for block in GRID_BLOCKS]
    return slice(0, sum(cells[:-1])), slice(sum(cells[:-1]), sum(cells))


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about N pictures under one factor.

    Arguments:
        factor: Name of the factor.
        probabilities: float32 (N, values), rows sum to 1.
    """

    factor: str
    probabilities: np.ndarray

    @property
    def index(self) -> np.ndarray:
        """int64 (N,): index of the most likely value."""
        return self.probabilities.argmax(axis=1)


class ConditionClassifier:
    """Linear classifiers on frozen features: for each factor, the mean of two views.

    Each view is scaled by its mean and standard deviation in training. Classes weigh the same,
    however many pictures they have, so that the accuracy is fair to the rare ones.

    Arguments:
        spec: The factors.
        tensors: For each factor and view, "weight", "bias", "mean" and "std".
    """

    def __init__(self, spec: ConditionSpec, tensors: dict[str, Tensor]) -> None:
        self.spec = spec
        self.tensors = tensors

    def predict(self, features: Features) -> dict[str, Prediction]:
        """A prediction for each factor, by its name."""
        predictions = {}
        for factor in self.spec.factors:
            total = torch.zeros(len(features), len(factor.values))
            for index, view in enumerate(_views()):
                key = f"{factor.name}/{index}"
                x = _scale(
                    torch.from_numpy(np.array(features.grid[:, view])),
                    self.tensors[f"{key}/mean"],
                    self.tensors[f"{key}/std"],
                )
                logits = F.linear(x, self.tensors[f"{key}/weight"], self.tensors[f"{key}/bias"])
                total += logits.softmax(dim=1)
            predictions[factor.name] = Prediction(factor.name, (total / len(_views())).numpy())
        return predictions

    def save(self, folder: Path) -> None:
        """Write classifier.safetensors and classifier.json."""
        from safetensors.torch import save

        tensors = {k: v.contiguous() for k, v in self.tensors.items()}
        write_atomic(folder / "classifier.safetensors", save(tensors))
        write_atomic(folder / "classifier.json", json.dumps({"factors": self.spec.to_json()}))

    @classmethod
    def load(cls, folder: Path) -> ConditionClassifier | None:
        """The classifier in a folder, or None when there is none that can be read."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            factors = read_json(folder / "classifier.json", folder=folder)["factors"]
            read_header(folder / "classifier.safetensors", folder=folder)
            tensors = load_file(folder / "classifier.safetensors")
        except (OSError, ValueError, KeyError, SafetensorError):
            return None
        return cls(ConditionSpec.from_json(factors), tensors)


def unlearnable(labels: np.ndarray, spec: ConditionSpec) -> dict[str, str]:
    """Why a factor cannot be classified, for each whose pictures show fewer than two values.

    Arguments:
        labels: int64 (N, factors), an index a factor, `null_index` where unknown.
        spec: The factors.
    """
    shown = {
        factor.name: len(set(labels[:, column].tolist()) - {factor.null_index})
        for column, factor in enumerate(spec.factors)
    }
    return {
        factor.name: f"No classifier for '{factor.name}': the training pictures show "
        f"{shown[factor.name]} of its values ({', '.join(factor.values)}), and a classifier needs "
        "two or more."
        for factor in spec.factors
        if shown[factor.name] < 2
    }


def train_classifier(
    features: Features,
    labels: np.ndarray,
    spec: ConditionSpec,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> ConditionClassifier:
    """Train a classifier of the factors that can be learned; `unlearnable` lists the others.

    Arguments:
        features: Of the N pictures to train on.
        labels: int64 (N, factors), an index a factor, `null_index` where unknown.
        spec: The factors.
        seed: Of batches and dropout.
        on_progress: Called when a factor's view is trained.

    Raises:
        LatentbloomError: No factor has labelled pictures of two values.
    """
    unknown = unlearnable(labels, spec)
    factors = tuple(factor for factor in spec.factors if factor.name not in unknown)
    if not factors:
        raise LatentbloomError(" ".join(unknown.values()) or "No classifier: there are no labels.")
    tensors: dict[str, Tensor] = {}
    total = len(factors) * len(_views())
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # for the initial weights
        for number, factor in enumerate(factors):
            column = spec.names.index(factor.name)
            known = labels[:, column] != factor.null_index
            y = torch.from_numpy(labels[known, column])
            rows = np.flatnonzero(known)
            for index, view in enumerate(_views()):
                x = torch.from_numpy(np.array(features.grid[rows, view]))
                for name, tensor in _fit_linear(x, y, len(factor.values), generator).items():
                    tensors[f"{factor.name}/{index}/{name}"] = tensor
                if on_progress is not None:
                    done = number * len(_views()) + index + 1
                    on_progress("classifier", done, total)
    return ConditionClassifier(ConditionSpec(factors), tensors)


def _scale(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Zero mean and unit standard deviation in training; outliers are clamped to 6 of these."""
    return x.float().sub_(mean).div_(std).clamp_(-6.0, 6.0)


def _fit_linear(
    x: Tensor, y: Tensor, values: int, generator: np.random.Generator
) -> dict[str, Tensor]:
    """Weighted logistic regression by AdamW, with dropout and a one-cycle learning rate.

    Arguments:
        x: float16 (N, G).
        y: int64 (N,).
        values: How many values there are.
        generator: Of batches and dropout.
    """
    n, width = x.shape
    std, mean = torch.std_mean(x.float(), dim=0)
    std = std + 1e-4
    counts = torch.bincount(y, minlength=values).float()
    weight = torch.where(counts > 0, n / (values * counts.clamp(min=1.0)), 0.0)
    layer = nn.Linear(width, values)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    steps = max(MIN_STEPS, EPOCHS * n // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        rows = torch.from_numpy(generator.integers(0, n, min(BATCH, n)))
        batch = _scale(x[rows], mean, std)
        logits = layer(_drop(batch, generator))
        loss = F.cross_entropy(logits, y[rows], weight=weight, label_smoothing=LABEL_SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    state = {name: tensor.detach().clone() for name, tensor in layer.state_dict().items()}
    return {**state, "mean": mean, "std": std}


def _drop(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Dropout in place. Random bytes are ten times faster than PyTorch's Bernoulli on a CPU."""
    threshold = round(256 * FEATURE_DROPOUT)
    noise = np.frombuffer(bytearray(generator.bytes(x.numel())), np.uint8)
    kept = torch.from_numpy(noise >= threshold).view_as(x)
    return x.mul_(kept).mul_(256 / (256 - threshold))
