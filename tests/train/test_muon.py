"""Muon: what its update is, held against decompositions and against torch's Adam."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.nn.backbones.conditioning import ConditionEmbedding
from latentbloom.train.muon import Muon, orthogonalised, split_weights
from latentbloom.train.state import optimizer_tensors, restore_optimizer


@pytest.mark.parametrize("shape", [(3, 20, 64), (2, 64, 20), (1, 32, 32)])
def test_all_singular_values_come_near_one_and_the_vectors_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    found = orthogonalised(x)
    assert found.shape == x.shape
    values = torch.linalg.svdvals(found)
    # The smallest of a square matrix may be so near 0 that five steps do not lift it.
    assert values.max() < 1.3
    assert values.median() > 0.6
    left, _, right = torch.linalg.svd(x, full_matrices=False)
    nearest = left @ right
    assert nn.functional.cosine_similarity(found.flatten(1), nearest.flatten(1)).min() > 0.95


def test_a_step_moves_entries_as_far_as_adam_would() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(48, 16, 3, 3))
    weight.grad = torch.randn_like(weight)
    Muon([weight], [], lr=0.1, adam_lr=1.0).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.1 * 0.2, rel=0.2)
    assert float((weight.detach() * weight.grad).sum()) < 0


@pytest.mark.parametrize("shape", [(20, 64), (64, 20), (32, 32)])
def test_matrices_are_trained_as_by_the_muon_of_torch(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    one = Muon([ours], [], lr=0.1, adam_lr=1.0, momentum=0.9, weight_decay=0.01)
    other = torch.optim.Muon(
        [theirs], lr=0.1, momentum=0.9, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(10):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        one.step()
        other.step()
    moved, difference = (ours.detach() - start).norm(), (ours - theirs).detach().norm()
    assert float(difference / moved) < 0.03  # both iterate in bfloat16, rounded apart


def test_the_rest_is_trained_as_by_adam() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(7)) for _ in range(2))
    one = Muon([], [ours], lr=1.0, adam_lr=0.01, betas=(0.9, 0.99))
    other = torch.optim.Adam([theirs], 0.01, betas=(0.9, 0.99))
    for _ in range(20):
        ours.grad = theirs.grad = torch.randn(7)
        one.step()
        other.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_weight_decay_shrinks_matrices_alone() -> None:
    matrix, vector = nn.Parameter(torch.ones(16, 16)), nn.Parameter(torch.ones(16))
    optimizer = Muon([matrix], [vector], lr=0.1, adam_lr=0.1, weight_decay=0.5)
    matrix.grad, vector.grad = torch.zeros(16, 16), torch.zeros(16)
    optimizer.step()
    assert torch.allclose(matrix, torch.full((16, 16), 0.95))
    assert torch.equal(vector.detach(), torch.ones(16))


def test_state_goes_through_a_file_format_and_back_whatever_the_layout() -> None:
    def made() -> tuple[nn.Module, Muon]:
        torch.manual_seed(1)
        net = nn.Sequential(nn.Conv2d(12, 16, 3), nn.Conv2d(16, 2, 1))
        net.to(memory_format=torch.channels_last)
        return net, Muon(*split_weights(net), 0.01, 0.01)

    def train(net: nn.Module, optimizer: Muon, steps: range) -> None:
        for k in steps:
            torch.manual_seed(k)
            optimizer.zero_grad()
            net(torch.randn(2, 12, 8, 8)).square().mean().backward()
            optimizer.step()

    whole, first = made()
    train(whole, first, range(4))
    half, second = made()
    train(half, second, range(2))
    kept = {name: t.clone().contiguous() for name, t in optimizer_tensors(second).items()}
    weights = {name: t.clone().contiguous() for name, t in half.state_dict().items()}
    again, third = made()
    again.load_state_dict(weights)
    restore_optimizer(third, kept)
    train(again, third, range(2, 4))
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_matrices_are_wide_weights_of_layers_and_no_tables() -> None:
    spec = ConditionSpec((Factor("species", tuple(f"s{k}" for k in range(40))),))
    net = nn.ModuleDict(
        {
            "wide": nn.Conv2d(16, 16, 3),
            "narrow": nn.Conv2d(16, 4, 3),
            "condition": ConditionEmbedding(spec, 32),
        }
    )
    matrices, rest = split_weights(net)
    names = {id(p): name for name, p in net.named_parameters()}
    assert {names[id(p)] for p in matrices} == {
        name for name in names.values() if name == "wide.weight"
    }
    assert len(matrices) + len(rest) == len(names)
