"""Compiled blocks: the same model, and none the worse where nothing can be compiled."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import DenoiserConfig, RunConfig
from latentbloom.device import can_compile, compile_blocks
from latentbloom.fitting.planning.planner import make_plan
from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.nn.backbones.hourglass import Hourglass

SPEC = ConditionSpec((Factor("label", ("day", "night")),))
TRAIN = """
import sys
from pathlib import Path
import latentbloom
from tiny_run import make_pictures, tiny_config
here = Path(sys.argv[1])
tiny_config(train__compile=True).save(here / "settings.json")
latentbloom.fit(make_pictures(here / "pictures"), out=here / "run", config=here / "settings.json")
"""


def make_transformer() -> Hourglass:
    torch.manual_seed(0)
    config = DenoiserConfig(width=32, depth=3, head_width=16, stem=8)
    model = Hourglass(config, SPEC, (4, 8, 8))
    for value in model.parameters():  # the gates start at zero, and would hide the blocks
        torch.nn.init.normal_(value, std=0.05)
    return model


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own
@pytest.mark.skipif(not can_compile(torch.device("cpu")), reason="needs a C++ compiler")
def test_compiled_blocks_give_the_same_gradients() -> None:
    plain = make_transformer()
    compiled = copy.deepcopy(plain)
    compile_blocks(compiled, say=pytest.fail)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    x, t, cond = torch.randn(6, 4, 8, 8), torch.rand(6), {"label": torch.tensor([0, 1, 2] * 2)}
    for model in (plain, compiled):
        model(x, t, cond).square().mean().backward()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 1, "one serves all"
    named = dict(plain.named_parameters())
    assert [*named] == [name for name, _ in compiled.named_parameters()]
    for name, value in compiled.named_parameters():
        assert value.grad is not None
        torch.testing.assert_close(value.grad, named[name].grad, rtol=1e-4, atol=1e-6)


def test_where_the_compiler_fails_training_goes_on(tmp_path: Path) -> None:
    environment = os.environ | {
        "CXX": "/bin/false",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
    }
    command = [sys.executable, "-c", TRAIN, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Stage 2 is not compiled, and slower by a quarter" in done.stdout
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "conditional_diffusion_final" / "model.safetensors").is_file()


def test_long_stages_are_compiled_where_it_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(compiles: bool = True, **settings: object) -> bool | None:
        config = RunConfig().updated({f"train.{name}": value for name, value in settings.items()})
        speeds = Speeds(60.0, 200.0, 1500.0, 15.0, compiles=compiles)
        return make_plan(config, speeds, count=2000, size=64, channels=3)[0].train.compile

    assert compiled(minutes=60.0) is True
    assert compiled(minutes=20.0) is False
    assert compiled(minutes=60.0, compiles=False) is False
    assert compiled(minutes=60.0, compile=False) is False
    assert compiled(minutes=20.0, compile=True) is True
    # Images that are counted are to be the same everywhere, and in the same order of additions.
    assert compiled(minutes=None, vae_gan_images=10, diffusion_images=10**6) is False
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not can_compile(torch.device("cpu"))
