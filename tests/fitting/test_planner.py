"""What `fit` makes of its minutes: sizes and seconds, on simulated machines and clocks."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import make_accelerator
from latentbloom.errors import ConfigError
from latentbloom.fitting.planning.planner import make_plan, models_to_time
from latentbloom.fitting.planning.speeds import Speeds, denoiser_speed, vae_gan_speeds
from latentbloom.nn.autoencoders.base import latent_shape_of
from latentbloom.train.muon import Muon
from simulated_run import ENCODED, IMAGES, LATENTS, PowerCutError, simulate
from tiny_run import make_pictures, tiny_config

SPEEDS = (0.5, 1.0, 2.0)
COUNTS = (500, 3000, 50_000)
MINUTES = (3.0, 10.0, 20.0, 60.0)


def plan(minutes: float, speed: float = 1.0, count: int = 3000):
    config = RunConfig().updated({"train.minutes": minutes})
    speeds = Speeds(speed * IMAGES[48], speed * LATENTS[256], speed * ENCODED[48], 15.0)
    return make_plan(config, speeds, count=count, size=64, channels=3)


def shapes(minutes: float, speed: float, count: int) -> tuple[int, int]:
    """Widths of both models; (0, 0) where the minutes are too few."""
    try:
        config, _ = plan(minutes, speed, count)
    except ConfigError:
        return 0, 0
    assert config.autoencoder is not None
    assert config.denoiser is not None
    return config.autoencoder.width, config.denoiser.width


RUNS = [
    *itertools.product(SPEEDS, COUNTS, (3.0, 20.0)),
    *((1.0, 3000, minutes) for minutes in (10.0, 60.0)),
]


@pytest.mark.parametrize(("speed", "count", "minutes"), RUNS)
def test_a_run_ends_when_it_said_it_would(
    tmp_path: Path, speed: float, count: int, minutes: float
) -> None:
    try:
        machine, config, told = simulate(tmp_path / "a", minutes=minutes, speed=speed, count=count)
    except ConfigError as error:  # then it says how many minutes would do
        assert (minutes, count) == (3.0, 50_000)
        minutes = float(str(error).split("at least ")[1].rstrip("."))
        assert minutes <= 8
        machine, config, told = simulate(tmp_path / "b", minutes=minutes, speed=speed, count=count)
    promised = 60.0 * minutes
    assert 0.9 * promised < machine.clock() - 1000.0 < 1.02 * promised
    # Both stages get their part of it, and the scores theirs.
    first, second = machine.spent["vae_gan"], machine.spent["diffusion"]
    assert first + second > 0.29 * promised
    assert 0.3 < first / (first + second) < 0.6
    assert machine.given_to_finish > 0.85 * told.finish_seconds
    # What was told is what came; in short stages validations take a larger part.
    near = 0.15 if minutes > 5 else 0.25
    assert told.vae_gan_images == pytest.approx(machine.seen["vae_gan"], rel=near)
    assert told.diffusion_images == pytest.approx(machine.seen["diffusion"], rel=near)
    assert config.autoencoder is not None
    if config.autoencoder.width > 48:
        assert machine.seen["vae_gan"] > 40_000


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_machine_that_changes_its_speed_keeps_the_promise(tmp_path: Path, factor: float) -> None:
    machine, _, told = simulate(
        tmp_path / "run", minutes=10.0, speed=1.0, count=3000, turns_into=factor
    )
    assert 540.0 < machine.clock() - 1000.0 < 1.02 * 600.0
    assert machine.seen["vae_gan"] == pytest.approx(factor * told.vae_gan_images, rel=0.15)
    # Encoding took longer or shorter than was planned: stage 2 bears it, the scores do not.
    assert machine.given_to_finish > 0.85 * told.finish_seconds


def test_slow_validations_are_fewer(tmp_path: Path) -> None:
    machine, _, _ = simulate(tmp_path / "run", minutes=10.0, speed=1.0, count=3000, validation=20.0)
    # Two at the least in each stage, the first and the last; all twenty would take 400 s.
    assert 80.0 <= machine.validated < 0.25 * 600.0


@pytest.mark.parametrize("breaks_after", [200.0, 420.0])
def test_a_run_that_broke_off_uses_what_is_left_of_its_minutes(
    tmp_path: Path, breaks_after: float
) -> None:
    run = tmp_path / "run"
    with pytest.raises(PowerCutError):
        simulate(run, minutes=10.0, speed=1.0, count=3000, breaks_after=breaks_after)
    machine, _, told = simulate(run, minutes=10.0, speed=1.0, count=3000)
    used = breaks_after + machine.clock() - 1000.0
    # What was done after the last checkpoint, of which there is one a minute, is done again.
    assert 540.0 < used < 600.0 + 60.0 + 15.0
    assert machine.given_to_finish > 0.85 * told.finish_seconds


@pytest.mark.parametrize("count", [*COUNTS, 9000, 20_000])
def test_more_time_or_speed_or_pictures_never_give_smaller_models(count: int) -> None:
    for minutes in (*MINUTES, 240.0):
        by_speed = [shapes(minutes, k, count) for k in (*SPEEDS, 8.0, 100.0)]
        for kind in zip(*by_speed, strict=True):
            assert list(kind) == sorted(kind)
    for speed in SPEEDS:
        by_minutes = [shapes(minutes, speed, count) for minutes in (*MINUTES, 240.0)]
        for kind in zip(*by_minutes, strict=True):
            assert list(kind) == sorted(kind)
    assert shapes(60.0, 100.0, count) <= shapes(60.0, 100.0, 2 * count)


def test_few_pictures_get_small_models_whatever_the_time() -> None:
    assert shapes(60.0, 2.0, 500) == (48, 192)
    assert shapes(240.0, 100.0, 500) == (48, 192)
    assert shapes(60.0, 2.0, 3000) == (48, 192)
    assert shapes(60.0, 8.0, 3000) == (64, 256)
    assert shapes(60.0, 2.0, 50_000) == (48, 192)
    assert shapes(240.0, 2.0, 50_000)[0] == 96
    assert shapes(240.0, 100.0, 50_000) == (160, 512)


def test_a_slow_machine_still_gets_a_model() -> None:
    config, found = plan(20.0, 0.05, 500)
    assert config.autoencoder is not None
    assert config.autoencoder.width == 48
    assert found.vae_gan_images > 1000
    assert found.diffusion_images > 5000


@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("count", COUNTS)
def test_the_parts_add_up_to_the_promise_encoding_counted(minutes: float, count: int) -> None:
    config, found = plan(minutes, speed=4.0, count=count)
    assert config.autoencoder is not None
    assert found.vae_gan_seconds is not None
    assert found.diffusion_seconds is not None
    left = 60 * minutes - found.vae_gan_seconds - found.diffusion_seconds
    encoding = left - found.decoder_seconds - found.finish_seconds - 15.0
    views = 2 if config.data.mirror else 1
    really = views * 1.1 * count / (4.0 * ENCODED[config.autoencoder.width])  # a tenth held out
    assert encoding == pytest.approx(really, rel=0.3)


@pytest.mark.parametrize(("minutes", "speed", "share"), [(10.0, 1.0, 0.5), (60.0, 1.0, 0.4)])
def test_stage_1_gets_less_once_it_has_seen_enough(
    minutes: float, speed: float, share: float
) -> None:
    _, found = plan(minutes, speed, 500)
    assert found.vae_gan_seconds is not None
    assert found.diffusion_seconds is not None
    both = found.vae_gan_seconds + found.diffusion_seconds
    assert found.vae_gan_seconds / both == pytest.approx(share)
    if share > 0.4:
        assert found.vae_gan_images < 25_000


def test_mirror_images_are_left_out_where_encoding_them_eats_the_minutes() -> None:
    # 50,000 pictures and their mirror images at 1,500 a second take 83 s with the held-out ones.
    assert plan(10.0, 1.0, 50_000)[0].data.mirror is False
    assert plan(20.0, 1.0, 50_000)[0].data.mirror is True
    asked = RunConfig().updated({"train.minutes": 10.0, "data.mirror": True})
    speeds = Speeds(IMAGES[48], LATENTS[256], ENCODED[48], 15.0)
    assert make_plan(asked, speeds, count=50_000, size=64, channels=3)[0].data.mirror is True
    without = make_plan(
        asked.updated({"data.mirror": False}), speeds, count=500, size=64, channels=3
    )
    assert without[0].data.mirror is False
    # Where images are the budget there is no hurry.
    unhurried = {"train.vae_gan_images": 10, "train.diffusion_images": 10}
    config = RunConfig().updated({"train.minutes": None, **unhurried})
    assert make_plan(config, speeds, count=50_000, size=64, channels=3)[0].data.mirror is True


@pytest.mark.parametrize("size", [64, 128, 256])
def test_large_pictures_keep_the_number_of_tokens(size: int) -> None:
    speeds = Speeds(IMAGES[48], LATENTS[256], ENCODED[48], 15.0)
    config, _ = make_plan(RunConfig(), speeds, count=3000, size=size, channels=3)
    assert config.autoencoder is not None
    assert config.denoiser is not None
    timed = models_to_time(RunConfig(), size=size, channels=3)
    for autoencoder, denoiser in ((config.autoencoder, config.denoiser), timed):
        channels, height, width = latent_shape_of(autoencoder)
        assert (height // denoiser.patch) * (width // denoiser.patch) == 16
        assert channels == (4 if size == 64 else 16)
    own = RunConfig().updated({"autoencoder.width": 64})  # who gives a shape gets it
    kept, _ = make_plan(own, speeds, count=3000, size=size, channels=3)
    assert kept.autoencoder is not None
    assert latent_shape_of(kept.autoencoder) == (4, size // 8, size // 8)


def test_too_few_minutes_say_how_many_would_do() -> None:
    with pytest.raises(ConfigError, match=r"0.5 minutes are too few .* give at least 1\."):
        plan(0.5, speed=4.0, count=500)
    with pytest.raises(ConfigError, match=r"3 minutes are too few for 50,000 .* at least 6\."):
        plan(3.0, 0.25, 50_000)
    assert plan(6.0, 0.25, 50_000)[1].vae_gan_images > 0


def test_images_alone_can_be_the_budget() -> None:
    config = RunConfig().updated(
        {"train.minutes": None, "train.vae_gan_images": 1000, "train.diffusion_images": 2000}
    )
    _, found = make_plan(config, Speeds(70, 300, 1000), count=100, size=64, channels=1)
    assert found.vae_gan_seconds is None
    assert (found.vae_gan_images, found.diffusion_images) == (1000, 2000)
    config = RunConfig().updated({"train.minutes": None})
    with pytest.raises(ConfigError, match="both stages need a budget in images"):
        make_plan(config, Speeds(70, 300, 1000), count=100, size=64, channels=1)


def test_images_for_stage_1_take_their_time_from_the_minutes() -> None:
    config = RunConfig().updated({"train.minutes": 10.0, "train.vae_gan_images": 10_000})
    speeds = Speeds(IMAGES[48], LATENTS[256], ENCODED[48], 15.0)
    config, found = make_plan(config, speeds, count=3000, size=64, channels=3)
    assert found.vae_gan_seconds is None
    assert found.diffusion_seconds is not None
    assert found.diffusion_seconds < 600 - found.finish_seconds - 15 - 10_000 / IMAGES[96] * 0.9


def test_the_speed_of_stage_1_is_that_of_whole_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny_config(vae_gan__discriminator_start=0.25)
    source = open_source(make_pictures(tmp_path / "pictures"))
    images = ImageSet(source, source.entries[:8], size=32, channels=1)
    stepped: list[tuple[str, int]] = []
    for kind in (Muon, torch.optim.AdamW):
        real = kind.step

        def step(self, closure=None, real=real):
            stepped.append((type(self).__name__, sum(len(g["params"]) for g in self.param_groups)))
            return real(self, closure)

        monkeypatch.setattr(kind, "step", step)
    seconds = iter([2.0, 6.0, 0.5])  # without the discriminator, with it, encoding

    def timed(run, device, repeats, limit):
        run()
        return next(seconds)

    monkeypatch.setattr("latentbloom.fitting.planning.speeds.seconds_of", timed)
    assert config.autoencoder is not None
    shape = config.autoencoder.model_copy(update={"size": 32, "channels": 1})
    seen, encoded = vae_gan_speeds(
        config, shape, images, torch.device("cpu"), make_accelerator("fp32")
    )
    assert [name for name, _ in stepped] == ["Muon", "Muon", "AdamW"]
    assert seen == pytest.approx(8 * (0.25 / 2.0 + 0.75 / 6.0))
    assert encoded == pytest.approx(8 / 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]  # nothing is written


@pytest.mark.parametrize(("weight", "guidance"), [(0.0, 1.0), (1.0, 1.0), (1.0, 1.5)])
def test_the_speed_of_stage_2_is_that_of_whole_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: float, guidance: float
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny_config(
        diffusion__alignment_weight=weight,
        diffusion__self_guidance=guidance,
        vae_gan__perceptual="efficientnet-lite0",
    )
    seconds = iter([0.5, 1.0])
    updated: list[int] = []
    real = torch.optim.AdamW.step

    def step(self, closure=None):
        updated.append(sum(len(group["params"]) for group in self.param_groups))
        return real(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)

    def timed(run, device, repeats, limit):
        run()
        return next(seconds)

    monkeypatch.setattr("latentbloom.fitting.planning.speeds.seconds_of", timed)
    assert config.autoencoder is not None
    assert config.denoiser is not None
    spec = ConditionSpec((Factor("kind", ("a", "b")), Factor("colour", ("red", "blue", "white"))))
    speed = denoiser_speed(
        config, config.autoencoder, config.denoiser, spec, make_accelerator("fp32")
    )
    # A fifth of the steps learn guidance, and take a second here.
    mean = 0.5 if guidance == 1.0 else 0.8 * 0.5 + 0.2 * 1.0
    assert speed == pytest.approx(config.diffusion.batch_size / mean)
    assert updated[0] > 10
    # The head that is aligned: two layers, weights and biases.
    assert updated[1:] == ([4] if weight else []) + ([updated[0], 4] if guidance > 1.0 else [])
    assert not list(tmp_path.iterdir())  # nothing is written
