"""Muon: matrices learn by orthogonalised momentum, everything else by Adam."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# Source of the coefficients: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
FEWEST = 12
"""Rows or columns below which a weight counts as a handful of vectors, and Adam serves it."""


class Muon(Optimizer):
    r"""Muon for the weights of layers, Adam for biases, scales and narrow layers.

    The update of a weight W, seen as a matrix (out, everything else), is

    .. math:: W \leftarrow W - 0.2 \eta \sqrt{\max(m, n)} \; O(g + \mu (M - g)),
        \quad M \leftarrow \mu M + (1 - \mu) g

    where O(X) is about the nearest matrix with all singular values 1 (five Newton-Schulz steps in
    bfloat16), and the factor gives the entries the size that Adam's updates have.

    Arguments:
        matrices: Weights of layers, of two dimensions or more.
        rest: Everything else.
        lr: Learning rate of the matrices.
        adam_lr: Learning rate of the rest.
        momentum: The mu above.
        betas: Adam's.
        weight_decay: Of the matrices, a share of the learning rate.

    Source: Jordan et al. 2024; the factor: Liu et al. 2025, arXiv:2502.16982, equation 4.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        rest: Iterable[nn.Parameter],
        lr: float,
        adam_lr: float,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        groups = [
            {"params": list(matrices), "lr": lr, "kind": "muon", "weight_decay": weight_decay},
            {"params": list(rest), "lr": adam_lr, "kind": "adam", "weight_decay": 0.0},
        ]
        defaults = {"momentum": momentum, "betas": betas}
        super().__init__([g for g in groups if g["params"]], defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if group["weight_decay"]:
                for p in weights:
                    p.mul_(1.0 - group["lr"] * group["weight_decay"])
            (self._muon if group["kind"] == "muon" else self._adam)(group, weights)
        return loss

    def _muon(self, group: dict[str, Any], weights: list[nn.Parameter]) -> None:
        alike: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        for p in weights:
            assert p.grad is not None
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].lerp_(p.grad, 1.0 - group["momentum"])
            update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
            alike[(update.shape[0], update.shape[1])].append((p, update))
        for shape, pairs in alike.items():
            size = 0.2 * max(shape) ** 0.5
            turned = orthogonalised(torch.stack([update for _, update in pairs]))
            for (p, _), one in zip(pairs, turned, strict=True):
                p.add_(one.view(p.shape), alpha=-group["lr"] * size)

    def _adam(self, group: dict[str, Any], weights: list[nn.Parameter]) -> None:
        first, second = group["betas"]
        for p in weights:
            assert p.grad is not None
            state = self.state[p]
            if not state:
                state["step"] = torch.zeros(())
                state["exp_avg"] = torch.zeros_like(p)
                state["exp_avg_sq"] = torch.zeros_like(p)
            state["step"] += 1
            state["exp_avg"].lerp_(p.grad, 1.0 - first)
            state["exp_avg_sq"].lerp_(p.grad.square(), 1.0 - second)
            t = float(state["step"])
            size = (state["exp_avg_sq"] / (1.0 - second**t)).sqrt_().add_(1e-8)
            p.addcdiv_(state["exp_avg"], size, value=-group["lr"] / (1.0 - first**t))


def orthogonalised(x: Tensor) -> Tensor:
    """Matrices (B, m, n) with their singular values brought near 1, in float32.

    Newton-Schulz steps with a quintic that is steep at 0: values end between 0.7 and 1.2.
    """
    a, b, c = _QUINTIC
    wide = x.shape[1] <= x.shape[2]
    y = (x if wide else x.mT).bfloat16()
    y = y / (y.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(_ITERATIONS):
        gram = y @ y.mT
        y = a * y + (b * gram + c * gram @ gram) @ y
    return (y if wide else y.mT).float()


def split_weights(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights of layers that are wide enough to be matrices, and everything else.

    Tables of embeddings are lists of vectors, of which a batch uses some, and count as the rest.
    """
    matrices, rest = [], []
    for name, p in module.named_parameters():
        wide = p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= FEWEST
        plain = "tables" not in name and "position" not in name
        (matrices if wide and plain else rest).append(p)
    return matrices, rest
