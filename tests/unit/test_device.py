"""Device and precision, however many models one Python process trains."""

from __future__ import annotations

import pytest
import torch
from accelerate import DistributedType, PartialState
from torch import nn

from latentbloom.device import make_accelerator


def test_a_second_model_of_the_process_may_have_another_precision() -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        accelerator = make_accelerator(precision)
        with accelerator.autocast():
            assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype
        layer = accelerator.prepare(nn.Linear(2, 2))
        assert layer(torch.ones(1, 2)).dtype == torch.float32  # whatever it computes in


def test_a_process_among_several_can_train_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    PartialState(cpu=True)
    shared = PartialState._shared_state
    monkeypatch.setitem(shared, "distributed_type", DistributedType.MULTI_CPU)
    monkeypatch.setitem(shared, "num_processes", 2)
    accelerator = make_accelerator("fp32", alone=True)
    layer = nn.Linear(2, 2)
    for _ in range(2):  # preparing an optimiser reads accelerate's state anew
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)
        layer, optimizer = accelerator.prepare(layer, optimizer)
        assert type(layer) is nn.Linear  # in no wrapper, which would wait for the others
        assert (accelerator.num_processes, accelerator.process_index) == (1, 0)
    accelerator.backward(layer(torch.ones(1, 2)).sum())
    accelerator.clip_grad_norm_(layer.parameters(), 1.0)
    optimizer.step()
