"""What a model can be asked for, and that the same request gives the same pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentbloom.config import RunConfig
from latentbloom.device import default_device, find_device
from latentbloom.errors import ConditionError, ConfigError
from latentbloom.model.generator import Model
from latentbloom.model.records import Records
from latentbloom.model.request import Request, records_of
from shown_run import coloured_pictures, open_splits, untrained_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return untrained_model(open_splits(coloured_pictures(tmp_path_factory.mktemp("data")))["train"])


def with_settings(model: Model, **sampling: Any) -> Model:
    config = model.config.updated({f"sampling.{name}": v for name, v in sampling.items()})
    return Model(config, model.spec, model.autoencoder, model.denoiser, shown=model.shown)


def pixels(records: Records) -> np.ndarray:
    return records.pixels.numpy()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance": math.nan}, "guidance is nan. It must be 0 or more"),
        ({"guidance": -1.0}, "guidance is -1.0. It must be 0 or more"),
        ({"guidance": math.inf}, "guidance is inf. It must be finite and 0 or more"),
        ({"guidance": "2"}, "guidance is '2'. It must be 0 or more"),
        ({"guidance_interval": (0.8, 0.2)}, "The guidance interval (0.8, 0.2) is not two times"),
        ({"guidance_interval": (0.2, math.nan)}, "is not two times between 0 and 1"),
        ({"num_steps": 0}, "num_steps is 0. It must be 1 or more."),
        ({"num_steps": 2.5}, "num_steps is 2.5. It must be a whole number."),
        ({"num_steps": 10**9}, "num_steps is 1000000000. It must be 100000 or less."),
        ({"n": 0}, "n is 0; at least 1 picture can be asked for."),
        ({"n": 2.0}, "n is 2.0. It must be a whole number."),
        ({"n": True}, "n is True. It must be a whole number."),
        ({"seed": 1.5}, "seed is 1.5. It must be a whole number."),
        ({"seed": math.nan}, "seed is nan. It must be a whole number."),
        ({"indices": [0, -1]}, "An index is -1. It must be 0 or more."),
        ({"indices": [2**32]}, "An index is 4294967296. It must be 4294967295 or less."),
        ({"indices": []}, "n is 0; at least 1 picture can be asked for."),
        ({"n": 3, "indices": [0, 1]}, "2 indices for n=3 pictures; give one each."),
        ({"batch_size": 0}, "batch_size is 0. It must be 1 or more."),
        ({"batch_size": math.nan}, "batch_size is nan. It must be a whole number."),
        ({"sampler": "plms"}, "'plms' is no sampler. Choose one of: sde-dpm++"),
    ],
)
def test_numbers_out_of_range_are_refused(
    model: Model, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        model.sample(**options)
    assert message in str(error.value)


def test_a_guidance_a_row_is_checked_too(model: Model) -> None:
    for w in (torch.tensor([1.0, -0.5]), torch.tensor([1.0, math.nan])):
        with pytest.raises(ConfigError, match="guidance is .* It must be 0 or more"):
            model.guided(w)
    model.guided(torch.tensor([0.0, 3.0]))


def test_there_are_as_many_conditions_as_pictures(model: Model) -> None:
    with pytest.raises(ConditionError, match="2 conditions for n=3 pictures"):
        model.sample([{}, {}], n=3)
    assert len(model.sample([{}, {}])) == 2
    assert len(model.sample(indices=[4, 4, 4])) == 3
    assert len(Request()) == 16


def test_numbers_choose_the_noise(model: Model) -> None:
    four = model.sample({"colour": "red"}, n=4, seed=3)
    chosen = model.sample({"colour": "red"}, seed=3, indices=[2, 0, 2])
    assert np.array_equal(pixels(chosen), pixels(four)[[2, 0, 2]])
    assert [r.index for r in chosen] == [2, 0, 2]


def test_numbers_of_numpy_end_in_records_json(model: Model, tmp_path: Path) -> None:
    n: Any = np.int64(2)
    w: Any = np.float32(1.5)
    records = model.sample(n=n, seed=n, num_steps=n, guidance=w)
    records.save(tmp_path)
    plain = model.sample(n=2, seed=2, num_steps=2, guidance=1.5)
    assert np.array_equal(pixels(records), pixels(plain))
    known = json.loads((tmp_path / "records.json").read_text(encoding="utf-8"))
    assert known["settings"]["guidance"] == 1.5
    assert [p["index"] for p in known["pictures"]] == [0, 1]


def test_pictures_are_the_same_in_any_batch_with_progress_said(model: Model) -> None:
    done: list[tuple[int, int]] = []
    small = model.sample(n=5, batch_size=2, on_progress=lambda k, n: done.append((k, n)))
    assert done == [(2, 5), (4, 5), (5, 5)]
    assert np.array_equal(pixels(small), pixels(model.sample(n=5)))


def test_a_slice_of_records_is_records(model: Model) -> None:
    records = model.sample(n=3)
    assert np.array_equal(pixels(records[1:]), pixels(records)[1:])
    assert records[1:].settings == records.settings


def test_noise_and_denoiser_may_be_the_callers(model: Model) -> None:
    request = Request({"colour": "red"}, n=3, seed=1)
    noise = request.noise(model.autoencoder.latent_shape)
    states = list(model.states(request, x_1=noise, denoiser=model.guided(2.0), num_steps=16))
    assert len(states) == 17
    records = records_of(request, states, model.decode, path=True)
    assert [len(r.path) for r in records] == [17, 17, 17]
    # Noise of the caller's own is all that decides: no sampler is used that adds some.
    wanted = model.sample(
        {"colour": "red"}, n=3, seed=1, guidance=2.0, num_steps=16, sampler="dpm++"
    )
    for mine, theirs in zip(records, wanted, strict=True):
        torch.testing.assert_close(mine.z, theirs.z, rtol=1e-4, atol=1e-4)  # 3 rows against 32


@pytest.mark.parametrize(("num_steps", "named"), [(15, "dpm++"), (16, "sde-dpm++")])
def test_few_steps_add_no_noise_unless_asked(model: Model, num_steps: int, named: str) -> None:
    records = model.sample(n=2, num_steps=num_steps)
    assert records.settings["sampler"] == named
    wanted = model.sample(n=2, num_steps=num_steps, sampler=named)
    assert np.array_equal(records.pixels, wanted.pixels)
    noisy = model.sample(n=2, num_steps=num_steps, sampler="sde-dpm++")
    assert noisy.settings["sampler"] == "sde-dpm++"
    assert np.array_equal(records.pixels, noisy.pixels) == (named == "sde-dpm++")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"device is '{name}', which PyTorch cannot use here"):
        find_device(name)
    assert find_device("cpu") == torch.device("cpu")
    assert find_device(None) == default_device()


class TestGuidanceInterval:
    def test_it_is_off_by_default_and_the_whole_of_time_changes_nothing(self, model: Model) -> None:
        assert model.config.sampling.guidance_interval is None
        always = model.sample(n=2, guidance=3.0)
        assert "guidance_interval" not in always.settings
        whole = model.sample(n=2, guidance=3.0, guidance_interval=(0, 1))
        assert np.array_equal(pixels(always), pixels(whole))
        assert whole.settings["guidance_interval"] == "0,1"

    def test_an_interval_that_no_step_meets_is_plain_conditional(self, model: Model) -> None:
        asked = {"colour": "red"}
        none = model.sample(asked, n=2, guidance=3.0, guidance_interval=(0.0, 0.0))
        assert np.array_equal(pixels(none), pixels(model.sample(asked, n=2, guidance=1.0)))
        middle = model.sample(asked, n=2, guidance=3.0, guidance_interval=(0.4, 0.8))
        assert not np.array_equal(pixels(none), pixels(middle))
        assert not np.array_equal(pixels(middle), pixels(model.sample(asked, n=2, guidance=3.0)))

    def test_the_run_s_own_is_used_and_can_be_overridden(self, model: Model) -> None:
        asked = {"colour": "red"}
        own = with_settings(model, guidance=3.0, guidance_interval=[0.4, 0.8])
        middle = model.sample(asked, n=2, guidance=3.0, guidance_interval=(0.4, 0.8))
        assert np.array_equal(pixels(own.sample(asked, n=2)), pixels(middle))
        always = own.sample(asked, n=2, guidance_interval=(0, 1))
        assert np.array_equal(pixels(always), pixels(model.sample(asked, n=2, guidance=3.0)))

    def test_it_is_saved_with_the_run(self, tmp_path: Path) -> None:
        from latentbloom.config import load_config

        config = RunConfig().updated({"sampling.guidance_interval": "0.2,0.8"})
        assert config.sampling.guidance_interval == (0.2, 0.8)
        config.save(tmp_path / "config.json")
        assert load_config(tmp_path / "config.json") == config
        tree = json.loads((tmp_path / "config.json").read_text())
        del tree["sampling"]["guidance_interval"]  # a run from before there was one
        (tmp_path / "config.json").write_text(json.dumps(tree))
        assert load_config(tmp_path / "config.json") == RunConfig()

    @pytest.mark.parametrize("value", ["0.8,0.2", [0.2], [-0.1, 0.5], [0.5, math.nan], "all", 0.5])
    def test_what_is_no_interval_is_refused(self, value: Any) -> None:
        with pytest.raises(ConfigError, match=r"sampling\.guidance_interval"):
            RunConfig().updated({"sampling.guidance_interval": value})
