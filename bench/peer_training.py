"""Trains a peer for several budgets at once, and samples from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.peer_models import Peer
from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.device import default_device
from latentbloom.train.order import Order

BATCH = 32
SAMPLE_BATCH = 32
EMA_DECAY = 0.995


@dataclass(frozen=True)
class Trained:
    """State of a training when a budget is used up.

    Arguments:
        budget: Seconds of training that were asked for.
        seconds: Seconds of training, including the end of the last step.
        images: Pictures seen.
        steps: Of the optimiser.
        average: The averaged weights and buffers, by name.
    """

    budget: float
    seconds: float
    images: int
    steps: int
    average: dict[str, Tensor]


def train_peer(
    peer: Peer,
    images: ImageSet,
    classes: Tensor,
    budgets: Sequence[float],
    *,
    low: bool,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Trained]:
    """Train once, and yield after each budget. The time of the caller does not count.

    Arguments:
        peer: The model.
        images: Training pictures.
        classes: Class of each, (N,).
        budgets: Seconds, in any order.
        low: bfloat16 autocast.
        say: Called once a minute with a sentence.
        clock: Seconds.
    """
    device = default_device()
    net = peer.net.to(memory_format=torch.channels_last).to(device).train()
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), peer.lr)
    order = Order(len(images), 0, None)
    left = sorted(budgets)
    seen, steps, began, next_say = 0, 0, clock(), 60.0
    while left:
        rows = order.indices(seen, BATCH)
        x = to_float(images.images(rows))
        flip = torch.rand(len(x)) < 0.5
        x = torch.where(flip[:, None, None, None], x.flip(3), x)
        x = x.to(device, memory_format=torch.channels_last)
        for group in optimiser.param_groups:
            group["lr"] = peer.lr * min(1.0, (steps + 1) / 50)
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            loss = peer.loss(x, classes[rows].to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        seen, steps = seen + len(rows), steps + 1
        _follow(average, net, decay=min(EMA_DECAY, steps / (steps + 10)))
        spent = clock() - began
        if spent > next_say:
            say(f"{spent:.0f} s, {seen:,} pictures, {seen / spent:.1f}/s, loss {loss.item():.4f}")
            next_say += 60.0
        while left and spent >= left[0]:
            kept = {name: value.clone() for name, value in average.items()}
            yield Trained(left.pop(0), spent, seen, steps, kept)
            began = clock() - spent


@torch.no_grad()
def _follow(average: dict[str, Tensor], net: nn.Module, *, decay: float) -> None:
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


@torch.no_grad()
def sample_peer(peer: Peer, classes: Tensor, *, low: bool, say: Callable[[str], None]) -> Tensor:
    """Pictures as uint8 (N, C, H, W), one a class."""
    device = default_device()
    peer.net.to(device).eval()
    parts, done = [], 0
    for part in classes.split(SAMPLE_BATCH):
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            parts.append(to_uint8(peer.sample(part.to(device)).float().cpu()))
        done += len(part)
        say(f"{done} of {len(classes)} samples")
    return torch.cat(parts)
