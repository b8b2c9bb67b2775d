"""The planner's arithmetic, without a clock."""

from __future__ import annotations

import pytest

from latentbloom.config import RunConfig
from latentbloom.errors import ConfigError
from latentbloom.train.planner import make_plan
from latentbloom.train.speeds import Speeds


def plan(minutes: float, speed: float = 1.0, count: int = 3000):
    config = RunConfig().updated({"train.minutes": minutes})
    speeds = Speeds(images=70 * speed, latents=300 * speed, set_up=10.0)
    return make_plan(config, speeds, count=count, size=64, channels=3)


@pytest.mark.parametrize("minutes", [4.0, 20.0, 60.0])
@pytest.mark.parametrize("count", [500, 3000, 50_000])
def test_the_parts_add_up_to_the_promise(minutes: float, count: int) -> None:
    _, found = plan(minutes, count=count, speed=4.0)
    assert found.vae_gan_seconds is not None
    assert found.diffusion_seconds is not None
    encode = 2 * count / (6 * 280)
    total = found.vae_gan_seconds + found.diffusion_seconds + found.finish_seconds + 10 + encode
    assert total == pytest.approx(60 * minutes)


def test_a_faster_machine_gets_wider_models_and_never_sees_less() -> None:
    speeds = [0.5, 1.0, 2.0, 8.0]
    plans = [plan(20.0, speed) for speed in speeds]
    widths = [config.autoencoder.width for config, _ in plans if config.autoencoder]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    denoisers = [c.denoiser.width * c.denoiser.depth for c, _ in plans if c.denoiser]
    assert denoisers == sorted(denoisers)


def test_too_few_minutes_say_how_many_would_do() -> None:
    with pytest.raises(ConfigError, match=r"0.5 minutes are too few .* give at least"):
        plan(0.5)


def test_images_alone_can_be_the_budget() -> None:
    config = RunConfig().updated(
        {"train.minutes": None, "train.vae_gan_images": 1000, "train.diffusion_images": 2000}
    )
    _, found = make_plan(config, Speeds(70, 300), count=100, size=64, channels=1)
    assert found.vae_gan_seconds is None
    assert (found.vae_gan_images, found.diffusion_images) == (1000, 2000)
    config = RunConfig().updated({"train.minutes": None})
    with pytest.raises(ConfigError, match="both stages need a budget in images"):
        make_plan(config, Speeds(70, 300), count=100, size=64, channels=1)
