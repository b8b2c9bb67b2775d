"""What an export says about its model, as JSON: labels, schedule, sampling, where it is from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentbloom.diffusion.sampling import steady_sampler
from latentbloom.evaluate.speed_map import FILE_NAME, SpeedMap
from latentbloom.export.data_terms import public_name, terms_of_run
from latentbloom.export.step_tables import STEPS, step_table
from latentbloom.model.generator import Model
from latentbloom.version import __version__


def describe_model(model: Model, run: Path) -> dict[str, Any]:
    """Everything about a model that is not a weight.

    Arguments:
        model: The model.
        run: Its run folder.

    Returns:
        A tree for JSON. The order of `factors` is the order of the conditions; the index of a
        value is its place in `values`, and "any" is the index after the last one.
    """
    schedule = model.denoiser.schedule
    source = model.config.data.source
    terms = terms_of_run(run)
    return {
        "format": "latentbloom-export",
        "version": 1,
        "made_by": f"latentbloom {__version__}",
        "name": run.resolve().name,
        "family": model.autoencoder.config.family,
        "image": {"size": model.size, "channels": model.channels, "range": [-1, 1]},
        "latent_shape": list(model.autoencoder.latent_shape),
        "factors": model.spec.to_json(),
        "shown": None if model.shown is None else sorted(map(list, model.shown)),
        "schedule": {
            "name": schedule.name,
            "t_min": schedule.t_min,
            "t_max": schedule.t_max,
            "x_t": "alpha_t x0 + sigma_t eps",
            "prediction": model.denoiser.kind,
        },
        "sampling": sampling_settings(model, run),
        "data": {"source": public_name(source), "terms": terms.sentence if terms else None},
    }


def sampling_settings(model: Model, run: Path) -> dict[str, dict[str, Any]]:
    """The ways to sample by name: "default", and what `evaluate --map` chose.

    Where the default is a sampler that adds noise, "dpm++" takes its place: its result is that of
    the same flow, and it needs far fewer steps.
    """
    usual = model.config.sampling
    interval = None if usual.guidance_interval is None else list(usual.guidance_interval)

    def setting(sampler: str, num_steps: int, guidance: float) -> dict[str, Any]:
        known = steady_sampler(sampler)
        steps = num_steps if known == sampler else min(num_steps, STEPS[-1])
        return {
            "sampler": known,
            "num_steps": steps,
            "guidance": guidance,
            "guidance_interval": interval,
        }

    found = {"default": setting(usual.sampler, usual.num_steps, usual.guidance)}
    measured = SpeedMap.load(run / FILE_NAME)
    for name, chosen in measured.chosen.items() if measured else ():
        found[name] = setting(chosen.sampler, chosen.num_steps, chosen.guidance)
    return found


def sampler_tables(model: Model, settings: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Step tables for the settings, and for the default sampler at other numbers of steps."""
    wanted = {(s["sampler"], s["num_steps"]): None for s in settings.values()}
    usual = settings["default"]["sampler"]
    for sampler in dict.fromkeys((usual, "dpm++", "unipc", "ddim")):
        wanted.update(dict.fromkeys((sampler, steps) for steps in STEPS if steps <= 20))
    wanted.update(dict.fromkeys((usual, steps) for steps in STEPS))
    schedule = model.denoiser.schedule
    return [step_table(sampler, schedule, steps) for sampler, steps in wanted]
