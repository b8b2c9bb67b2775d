"""The optimiser Muon: orthogonalised momentum for matrices, Adam for everything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast, overload

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adam import adam

# Source of the coefficients: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
FEWEST = 12
"""Weights with fewer rows or columns are trained by Adam."""


class Muon(Optimizer):
    r"""Muon for the weights of layers, Adam for biases, scales and narrow layers.

    The update of a weight W, seen as a matrix (out, everything else), is

    .. math:: W \leftarrow W - 0.2 \eta \sqrt{\max(m, n)} \; O(g + \mu (M - g)),
        \quad M \leftarrow \mu M + (1 - \mu) g

    where O(X) is about the nearest matrix with all singular values 1 (five Newton-Schulz steps in
    bfloat16), and the factor gives the entries the size that Adam's updates have.

    Arguments:
        matrices: Weights of layers, with two dimensions or more.
        rest: Everything else.
        lr: Learning rate of the matrices.
        adam_lr: Learning rate of the rest.
        momentum: The mu above.
        betas: Adam's.
        weight_decay: Decay of the matrices, times the learning rate.

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
        # With "fused", `load_state_dict` keeps the step counts on the device of the weights.
        defaults = {"momentum": momentum, "betas": betas, "fused": True}
        super().__init__([g for g in groups if g["params"]], defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every weight that has a gradient."""
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
        grads = [cast(Tensor, p.grad) for p in weights]
        momenta = [self._state_of(p, "momentum") for p in weights]
        torch._foreach_lerp_(momenta, grads, 1.0 - group["momentum"])
        alike: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        updates = torch._foreach_lerp(grads, momenta, group["momentum"])
        for p, update in zip(weights, updates, strict=True):
            # Channels last, the memory layout of convolutions: the matrix needs no copy.
            last = update.movedim(1, -1)
            alike[last.shape].append((p, last))
        for shape, pairs in alike.items():
            size = 0.2 * max(shape[0], shape[1:].numel()) ** 0.5
            turned = orthogonalised(torch.stack([update.flatten(1) for _, update in pairs]))
            for (p, _), one in zip(pairs, turned, strict=True):
                p.add_(one.view(shape).movedim(-1, 1), alpha=-group["lr"] * size)

    def _adam(self, group: dict[str, Any], weights: list[nn.Parameter]) -> None:
        for p in weights:
            if not self.state[p]:
                self.state[p]["step"] = torch.zeros((), device=p.device)
        adam(
            list[Tensor](weights),
            [cast(Tensor, p.grad) for p in weights],
            [self._state_of(p, "exp_avg") for p in weights],
            [self._state_of(p, "exp_avg_sq") for p in weights],
            max_exp_avg_sqs=[],
            state_steps=[self.state[p]["step"] for p in weights],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _state_of(self, p: nn.Parameter, key: str) -> Tensor:
        if key not in self.state[p]:
            self.state[p][key] = torch.zeros_like(p)
        return self.state[p][key]


def orthogonalised(x: Tensor) -> Tensor:
    """Matrices (B, m, n) with their singular values brought near 1, in float32.

    Newton-Schulz steps with a quintic that is steep at 0: values end between 0.7 and 1.2.
    """
    a, b, c = _QUINTIC
    wide = x.shape[1] <= x.shape[2]
    y = x if wide else x.mT
    y = (y / (y.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(_ITERATIONS):
        gram = y @ y.mT
        y = torch.baddbmm(y, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return (y if wide else y.mT).float()


def split_weights(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weights of layers that are wide enough to be matrices, and everything else.

    Embedding tables are lists of vectors, of which a batch uses some, so they belong to the rest.
    """
    matrices, rest = [], []
    for name, p in module.named_parameters():
        wide = p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= FEWEST
        plain = "tables" not in name and "position" not in name
        (matrices if wide and plain else rest).append(p)
    return matrices, rest
