"""Plans of a few machines, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from latentbloom.config import RunConfig
from latentbloom.errors import ConfigError
from latentbloom.fitting.planning.planner import Plan, in_images, make_plan, models_to_time
from latentbloom.fitting.planning.speeds import Speeds

SLOW = Speeds(images=50.0, latents=2000.0, encoded=1000.0, set_up=20.0)
FAST = Speeds(images=300.0, latents=20_000.0, encoded=15_000.0, set_up=60.0, compiles=True)


def planned(
    speeds: Speeds = SLOW, count: int = 3000, size: int = 64, **settings: Any
) -> tuple[RunConfig, Plan]:
    """A plan; in names of settings, two underscores stand for a dot."""
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    config = RunConfig().updated({"train.minutes": 10.0, **changes})
    return make_plan(config, speeds, count=count, size=size, channels=3)


def widths(config: RunConfig) -> tuple[int, int]:
    """Of autoencoder and denoiser."""
    assert config.autoencoder is not None
    assert config.denoiser is not None
    return config.autoencoder.width, config.denoiser.width


def test_ten_minutes_on_a_slow_machine() -> None:
    """600 s, 20 spent and 105 for the finish (a quarter, less 45): 475 are left.

    Stage 3 takes 15 %, 71.25; encoding 3,000 pictures and their mirror images with a quarter more
    takes 7.5. Half of the remaining 396.25 is stage 1, which 25,000 images would exceed.
    """
    config, plan = planned()
    assert plan.finish_seconds == pytest.approx(105.0)
    assert plan.decoder_seconds == pytest.approx(71.25)
    assert plan.vae_gan_seconds == pytest.approx(198.125)
    assert plan.diffusion_seconds == pytest.approx(198.125)
    assert plan.vae_gan_images == 9906  # 50 a second
    assert plan.diffusion_images == 792_500  # 2,000 a second, 2.0 times as many at width 192
    assert plan.spent_seconds == 20.0
    assert widths(config) == (48, 192)
    assert config.train.compile is False
    assert config.data.mirror is True


def test_four_hours_on_a_fast_machine() -> None:
    """14,400 s, 60 spent and 240 for the finish: 14,100, of which 15 % are 2,115.

    The widest autoencoder is 0.24 as fast: encoding takes 125,000 / 3,600 s, which leaves
    11,950.28. 40 % of it are more than the 347 s of 25,000 images, and see 344,168.
    """
    config, plan = planned(FAST, 50_000, train__minutes=240.0)
    assert plan.finish_seconds == pytest.approx(240.0)
    assert plan.decoder_seconds == pytest.approx(2115.0)
    assert plan.vae_gan_seconds == pytest.approx(0.4 * (11_985 - 125_000 / 3600))
    assert plan.vae_gan_images == 344_168
    assert plan.diffusion_seconds == pytest.approx(0.6 * (11_985 - 125_000 / 3600))
    assert plan.diffusion_images == round(7170.1666667 * 20_000 * 0.28 * 1.25)
    assert widths(config) == (160, 512)
    assert config.denoiser is not None
    assert config.denoiser.depth == 12
    assert config.train.compile is True


def test_between_the_shares_stage_1_takes_the_time_of_25_000_images() -> None:
    # 20 minutes: 145 s for the finish; 1,035 less 15 % and 7.5 s of encoding are 872.25.
    _, plan = planned(replace(SLOW, images=64.0), train__minutes=20.0)
    assert plan.finish_seconds == pytest.approx(145.0)
    assert plan.vae_gan_seconds == pytest.approx(25_000 / 64)  # between 348.9 and 436.1
    assert plan.vae_gan_images == 25_000


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [
        (1.0, 12.0),  # at least
        (3.0, 25.2),  # 14 %
        (10.0, 105.0),  # a quarter, less 45
        (20.0, 145.0),  # 85 and 5 %
        (600.0, 240.0),  # at most
    ],
)
def test_scores_and_pictures_have_a_size_of_their_own(minutes: float, seconds: float) -> None:
    _, plan = planned(replace(SLOW, set_up=0.0), 100, train__minutes=minutes)
    assert plan.finish_seconds == pytest.approx(seconds)


def test_the_widest_that_sees_enough_is_taken() -> None:
    """Of 60 minutes stage 1 gets 40 % of what is left: 250,000 are just seen, or just not."""
    left = 0.85 * (3600 - 240) - 1.25 * 2 * 6000 / (0.52 * 1000)
    enough = 250_000 / (0.4 * left * 0.52)
    for factor, width in ((1.001, 96), (0.999, 64)):
        speeds = Speeds(images=factor * enough, latents=2000.0, encoded=1000.0)
        config, _ = planned(speeds, 6000, train__minutes=60.0)
        assert widths(config)[0] == width
    config, _ = planned(speeds, 5999, train__minutes=60.0)
    assert widths(config)[0] == 64


@pytest.mark.parametrize(
    ("count", "autoencoder", "denoiser"),
    [
        (24_000, 160, 512),
        (23_999, 128, 512),
        (12_000, 128, 512),
        (11_999, 96, 384),
        (6_000, 96, 384),
        (5_999, 64, 256),
        (3_000, 64, 256),
        (2_999, 48, 192),
    ],
)
def test_few_pictures_get_small_networks(count: int, autoencoder: int, denoiser: int) -> None:
    endless = Speeds(images=1e5, latents=1e6, encoded=1e6)
    config, _ = planned(endless, count)
    assert widths(config) == (autoencoder, denoiser)


def test_a_denoiser_is_widened_once_it_sees_enough_latents() -> None:
    # Half of what is left after the finish, stage 3 and 7.5 s of encoding.
    seconds = (600 - 105) * 0.85 / 2 - 3.75
    for speed, factor, width in ((700_700, 1.0, 256), (699_300, 2.0, 192)):
        speeds = Speeds(images=50.0, latents=speed / seconds, encoded=1000.0)
        config, plan = planned(speeds)
        assert widths(config)[1] == width
        assert plan.diffusion_images == pytest.approx(factor * speed, abs=1)


@pytest.mark.parametrize(("set_up", "seconds"), [(195.0, 45.0), (195.1, 0.0)])
def test_stage_3_is_left_out_where_it_would_be_short(set_up: float, seconds: float) -> None:
    _, plan = planned(replace(SLOW, set_up=set_up))
    assert plan.decoder_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "settings",
    [
        {"autoencoder__family": "classic"},
        {"vae_gan__adversarial_weight": 0.0},
        {"decoder__adversarial_weight": 0.0},
    ],
)
def test_stage_3_needs_a_discriminator_and_the_swift_family(settings: dict[str, Any]) -> None:
    assert planned(autoencoder__family="swift")[1].decoder_seconds > 0.0
    assert planned(**settings)[1].decoder_seconds == 0.0


def test_the_classic_family_trains_its_autoencoder_most_of_the_time() -> None:
    config, plan = planned(autoencoder__family="classic")
    assert plan.vae_gan_seconds == pytest.approx(0.8 * (475.0 - 7.5))
    assert plan.diffusion_seconds == pytest.approx(0.2 * (475.0 - 7.5))
    assert config.denoiser is not None
    assert config.denoiser.kind == "dense"
    assert config.train.compile is False


def test_on_pixels_there_is_no_first_stage() -> None:
    config, plan = planned(FAST, autoencoder__family="pixel", train__minutes=60.0)
    assert (plan.vae_gan_seconds, plan.vae_gan_images, plan.decoder_seconds) == (0.0, 0, 0.0)
    assert plan.diffusion_seconds == pytest.approx(3600 - 60 - 240)
    assert config.train.compile is False  # its network is no transformer


@pytest.mark.parametrize(("encoded", "mirrored", "seconds"), [(1000.0, True, 60.0), (999.0, 0, 30)])
def test_mirror_images_may_take_a_tenth(encoded: float, mirrored: bool, seconds: float) -> None:
    config, plan = planned(replace(SLOW, encoded=encoded), 24_000)
    assert config.data.mirror is bool(mirrored)
    assert plan.vae_gan_seconds is not None
    encoding = 403.75 - 2 * plan.vae_gan_seconds
    assert encoding == pytest.approx(seconds, rel=2e-3)


def test_what_must_be_left_for_training() -> None:
    # 180 s, after 7.5 s of encoding and 105 s for the finish.
    _, plan = planned(replace(SLOW, set_up=307.5))
    assert plan.vae_gan_seconds == plan.diffusion_seconds == pytest.approx(90.0)
    with pytest.raises(ConfigError, match=r"10 minutes are too few for 3,000 pictures"):
        planned(replace(SLOW, set_up=307.6))


@pytest.mark.parametrize(("set_up", "least"), [(100.5, 3), (100.6, 4), (134.1, 4), (134.2, 5)])
def test_how_many_minutes_would_do(set_up: float, least: int) -> None:
    """70 % of the least minutes hold what went before, 0.25 s of encoding, and the finish.

    For 3 minutes: 126 s for setting up, encoding and 25.2 s. For 4: 168 s and 33.6 s.
    """
    with pytest.raises(ConfigError, match=rf"at least {least}\."):
        planned(replace(SLOW, set_up=set_up), 100, train__minutes=2.0)


def test_a_minute_is_the_shortest_run() -> None:
    quick = replace(SLOW, set_up=0.0)
    assert planned(quick, 100, train__minutes=1.0)[1].finish_seconds == 12.0
    with pytest.raises(ConfigError, match=r"0\.99 minutes are too few .* give at least 1\."):
        planned(quick, 100, train__minutes=0.99)


def test_images_for_stage_1_and_minutes() -> None:
    """Width 96 is 0.52 as fast: 2,600 images take 100 s, and encoding 7,500 / 520."""
    config, plan = planned(train__vae_gan_images=2600)
    assert widths(config)[0] == 96
    assert plan.vae_gan_seconds is None
    assert plan.vae_gan_images == 2600
    assert plan.diffusion_seconds == pytest.approx(403.75 - 7500 / 520 - 100.0)
    _, plan = planned(train__vae_gan_images=10**6)
    assert plan.diffusion_seconds == 1.0  # something is left in any case


def test_images_for_stage_2_are_taken_as_they_are() -> None:
    config, plan = planned(FAST, 50_000, train__minutes=240.0, train__diffusion_images=77)
    assert plan.diffusion_seconds is None
    assert plan.diffusion_images == 77
    assert widths(config)[1] == 256  # nothing is timed
    assert config.train.compile is False
    config, _ = planned(
        FAST, 50_000, train__minutes=240.0, train__diffusion_images=77, train__compile=True
    )
    assert config.train.compile is True
    config, _ = planned(FAST, 50_000, train__minutes=240.0, train__compile=False)
    assert config.train.compile is False


@pytest.mark.parametrize(("seconds", "compiled"), [(900.1, True), (899.9, False)])
def test_a_long_second_stage_is_compiled(seconds: float, compiled: bool) -> None:
    # 60 minutes, the finish at its most; 60 % of 85 %, encoding left out.
    set_up = 3600 - 240 - seconds / (0.6 * 0.85)
    speeds = Speeds(images=1000.0, latents=2000.0, encoded=1e9, set_up=set_up, compiles=True)
    config, plan = planned(speeds, 100, train__minutes=60.0)
    assert plan.diffusion_seconds == pytest.approx(seconds)
    assert config.train.compile is compiled
    factor = 1.25 if compiled else 1.0
    assert plan.diffusion_images == pytest.approx(seconds * 2000 * 2.0 * factor, rel=1e-6)


def test_images_alone() -> None:
    budget: dict[str, Any] = {
        "train__minutes": None,
        "train__vae_gan_images": 10,
        "train__diffusion_images": 20,
    }
    config, plan = planned(**budget)
    assert (plan.vae_gan_seconds, plan.diffusion_seconds) == (None, None)
    assert (plan.vae_gan_images, plan.diffusion_images) == (10, 20)
    assert (plan.decoder_seconds, plan.finish_seconds) == (0.0, 60.0)
    assert widths(config) == (96, 256)
    for missing in ("train__vae_gan_images", "train__diffusion_images"):
        without: dict[str, Any] = {**budget, missing: None}
        with pytest.raises(ConfigError, match="both stages need a budget in images"):
            planned(**without)
    pixel: dict[str, Any] = {
        **budget,
        "train__vae_gan_images": None,
        "autoencoder__family": "pixel",
    }
    assert planned(**pixel)[1].vae_gan_images == 0


@pytest.mark.parametrize(("epochs", "images"), [(2.5, 10), (0.1, 1), (3.0, 12), (1.1, 4)])
def test_epochs_are_so_many_images(epochs: float, images: int) -> None:
    changes = {"train.vae_gan_epochs": epochs, "train.diffusion_epochs": 2 * epochs}
    found = in_images(RunConfig().updated(changes).train, 4)
    assert found.vae_gan_images == images
    assert found.diffusion_images == max(1, round(8 * epochs))
    both = RunConfig().updated({**changes, "train.vae_gan_images": 99}).train
    assert in_images(both, 4).vae_gan_images == 99
    assert in_images(RunConfig().train, 4).vae_gan_images is None


@pytest.mark.parametrize(
    ("size", "patch", "stem", "reduction", "channels"),
    [
        (64, 2, 64, 8, 4),
        (120, 2, 64, 8, 4),
        (128, 2, 64, 16, 16),
        (192, 3, 0, 16, 16),
        (256, 4, 0, 16, 16),
    ],
)
def test_shapes_for_sizes(size: int, patch: int, stem: int, reduction: int, channels: int) -> None:
    config, _ = planned(size=size)
    timed, denoiser = models_to_time(RunConfig(), size=size, channels=1)
    assert timed.width == 48
    assert (timed.size, timed.channels) == (size, 1)
    assert denoiser.width == 256
    assert config.autoencoder is not None
    assert config.denoiser is not None
    assert (config.autoencoder.size, config.autoencoder.channels) == (size, 3)
    for network in (config.autoencoder, timed):
        assert (network.reduction, network.latent_channels) == (reduction, channels)
    assert config.denoiser.patch == denoiser.patch == patch
    assert config.denoiser.stem == denoiser.stem == stem


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        ({"denoiser.width": 192, "denoiser.depth": 4}, 64),
        ({"denoiser.width": 192, "denoiser.patch": 4}, 0),
        ({"denoiser.width": 192, "denoiser.stem": 0}, 0),
        ({"denoiser.kind": "unet"}, 0),
    ],
)
def test_a_denoiser_given_by_hand_has_convolutions_unless_told(
    given: dict[str, Any], stem: int
) -> None:
    config, _ = planned(**{name.replace(".", "__"): value for name, value in given.items()})
    _, timed = models_to_time(RunConfig().updated(given), size=64, channels=1)
    assert config.denoiser is not None
    assert config.denoiser.stem == timed.stem == stem


@pytest.mark.parametrize(
    ("minutes", "channels", "size", "count", "latent_channels", "kl_weight"),
    [
        (60.0, 3, 64, 8000, 8, 6e-2),
        (20.0, 3, 64, 8000, 4, 1e-3),  # too short for the denoiser to learn more channels
        (60.0, 1, 64, 8000, 4, 1e-3),  # not measured on grey pictures
        (60.0, 3, 128, 8000, 16, 1e-3),
        (60.0, 3, 64, 6999, 4, 1e-3),  # few pictures: an hour was no better than 20 minutes
    ],
)
def test_a_long_run_on_colour_takes_more_channels_of_fewer_nats(
    minutes: float, channels: int, size: int, count: int, latent_channels: int, kl_weight: float
) -> None:
    """40 % of the time of an hour see 110 * 1,100 images or so, more than 45,000."""
    speeds = replace(SLOW, images=110.0)
    request = RunConfig().updated({"train.minutes": minutes})
    config, _ = make_plan(request, speeds, count=count, size=size, channels=channels)
    assert config.autoencoder is not None
    assert config.autoencoder.latent_channels == latent_channels
    assert config.autoencoder.width == 48
    assert config.vae_gan.kl_weight == kl_weight


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        ({"width": 64, "latent_channels": 8}, 6e-2),
        ({"width": 48, "latent_channels": 4}, 1e-3),
        ({"latent_channels": 16, "reduction": 16}, 1e-3),
        ({"family": "classic", "latent_channels": 8}, 1e-3),
    ],
)
def test_more_channels_by_hand_carry_few_nats_each_too(
    settings: dict[str, object], weight: float
) -> None:
    given = {f"autoencoder.{name}": value for name, value in settings.items()}
    request = RunConfig().updated({"train.minutes": 20.0, **given})
    config, _ = make_plan(request, replace(SLOW, images=110.0), count=8000, size=64, channels=3)
    assert config.vae_gan.kl_weight == weight


@pytest.mark.parametrize("weight", [0.0, 0.01])
def test_a_kl_weight_that_is_asked_for_stays(weight: float) -> None:
    config, _ = planned(replace(SLOW, images=110.0), train__minutes=60.0, vae_gan__kl_weight=weight)
    assert config.vae_gan.kl_weight == weight
