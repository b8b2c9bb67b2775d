"""Device and precision, however many models one Python process trains."""

from __future__ import annotations

import torch
from torch import nn

from latentbloom.device import make_accelerator


def test_a_second_model_of_the_process_may_have_another_precision() -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        accelerator = make_accelerator(precision)
        with accelerator.autocast():
            assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype
        layer = accelerator.prepare(nn.Linear(2, 2))
        assert layer(torch.ones(1, 2)).dtype == torch.float32  # whatever it computes in


def test_a_process_can_be_taken_for_the_only_one() -> None:
    accelerator = make_accelerator("fp32", alone=True)
    assert accelerator.num_processes == 1
    assert accelerator.process_index == 0
    assert isinstance(accelerator.prepare(nn.Linear(2, 2)), nn.Linear)  # in no wrapper
