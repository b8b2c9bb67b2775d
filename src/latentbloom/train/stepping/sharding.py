"""One model whose weights are spread over the processes that train it (FSDP2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from latentbloom.config import TrainSettings
from latentbloom.device import compile_blocks
from latentbloom.train.ema import Average, relative_distance

if TYPE_CHECKING:
    from accelerate import Accelerator


def average_and_spread(
    module: nn.Module, train: TrainSettings, accelerator: Accelerator, say: Callable[[str], None]
) -> tuple[Average, nn.Module]:
    """A module ready to be trained by all processes, and the average of its weights.

    Arguments:
        module: With its first weights, the same on all processes.
        train: Whether to compile and to spread it, and the width of the average.
        accelerator: Device, precision and processes.
        say: Receives remarks.

    Returns:
        The average, and the module: spread, or whole and inside the accelerator's wrapper. Its
        weights are those of `module`; make the optimiser afterwards.
    """
    if train.shard and accelerator.num_processes == 1:
        say("train.shard: a process alone keeps all weights.")
    if not train.shard or accelerator.num_processes == 1:
        average = Average(module.to(accelerator.device), train.ema_share)
        if train.compile:
            compile_blocks(module, say)
        return average, accelerator.prepare(module)
    parts = ShardedAverage(module, train.ema_share, accelerator)
    if train.compile:
        compile_blocks(module, say)
    spread = shard(module, accelerator)
    parts.follow(spread)
    return parts, spread


def shard(module: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Leave each process an equal part of every weight, of its gradient and its moments.

    A forward and a backward pass gather the weights of one block at a time, and gradients are
    averaged over the processes. Weights become `DTensor`s; make the optimiser afterwards.
    Source: Zhao et al., PyTorch FSDP (arXiv:2304.11277); torch.distributed.fsdp.fully_shard.

    Arguments:
        module: The same on all processes. Its children under "blocks" are gathered one by one,
            what is outside of them at once.
        accelerator: Device, precision and processes.

    Returns:
        The module, changed in place, with the accelerator's precision.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    blocks = getattr(module, "blocks", None)
    for block in blocks.children() if isinstance(blocks, nn.ModuleList) else ():
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    # Evaluation mode: autocast, and no DistributedDataParallel around it.
    return accelerator.prepare_model(module, evaluation_mode=True)


def whole_tensors(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Tensors with the parts of all processes. A collective where there are parts.

    Arguments:
        tensors: The same names, in the same order, on all processes.
        keep: Whether this process wants them.

    Returns:
        Tensors on the CPU where they were spread, else the same; empty without `keep`.
    """
    found = {}
    for name, tensor in tensors.items():
        one = whole(tensor)
        if keep:
            found[name] = one if one is tensor else one.cpu()
    return found


def whole(tensor: Tensor) -> Tensor:
    """A tensor with the parts of all processes; itself where it has none. A collective."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's part of a tensor that all have, where `like` is spread; else the tensor."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    mesh, placements = like.device_mesh, like.placements
    return distribute_tensor(tensor.to(like.device), mesh, placements, src_data_rank=None)


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """`load_state_dict` of whole tensors into a module whose weights may be spread.

    Raises:
        RuntimeError: Names or shapes do not fit.
    """
    own = module.state_dict()
    module.load_state_dict(
        {name: spread_like(tensor, own.get(name, tensor)) for name, tensor in tensors.items()}
    )


class ShardedAverage(Average):
    """An average of which each process keeps what belongs to its part of the weights.

    `module` is whole on the main process, which alone reads it, and as old as the last `gather`.

    Arguments:
        module: The module that is trained, before `shard`.
        share: Width of the average as a share of the run so far.
        accelerator: The processes.
    """

    def __init__(self, module: nn.Module, share: float, accelerator: Accelerator) -> None:
        super().__init__(module, share)
        self.main = accelerator.is_main_process
        self.module.to(accelerator.device if self.main else "meta")
        self._parts: dict[str, Tensor] = {}

    def follow(self, trained: nn.Module) -> None:
        """Begin with the weights of the module, after `shard`."""
        self._parts = {name: p.detach().clone() for name, p in trained.named_parameters()}

    def update_parameters(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        weights = [_local(p) for p in model.parameters()]
        self.take_in([_local(p) for p in self._parts.values()], weights, self.n_averaged)
        self.n_averaged += 1

    def gather(self) -> None:
        """Bring `module` up to date on the main process. A collective."""
        found = whole_tensors(self._parts, keep=self.main)
        if self.main:
            self.module.load_state_dict(found, strict=False)  # buffers do not change

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Go on from stored averages of so many steps."""
        if self.main:
            self.module.load_state_dict(tensors)
        for name, part in self._parts.items():
            part.copy_(spread_like(tensors[name], part))
        self.n_averaged.fill_(steps)

    def lag(self, trained: nn.Module) -> float:
        """Distance to the trained weights, relative to these, of this process's part."""
        ours = [_local(p) for p in self._parts.values()]
        return relative_distance(ours, [_local(p) for p in trained.parameters()])


@torch.no_grad()
def _local(tensor: Tensor) -> Tensor:
    bare = tensor.detach()
    return bare.to_local() if isinstance(bare, DTensor) else bare
