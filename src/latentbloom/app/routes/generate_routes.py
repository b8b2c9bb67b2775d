"""Pictures by condition: one answer, a stream, files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from latentbloom.app.jobs import Job
from latentbloom.app.routes.answers import (
    PROBLEMS,
    Run,
    limits_of,
    queue_of,
    result_of,
    served_run,
    stream_of,
)
from latentbloom.app.routes.bodies import GenerateBody, PathInfo
from latentbloom.app.served_run import ServedRun
from latentbloom.errors import ConfigError, RunFolderError

router = APIRouter(prefix="/api/runs/{run}/generate", tags=["generate"], responses=PROBLEMS)
USUAL = 8


def known(body: GenerateBody, request: Request, run: str) -> GenerateBody:
    """The body, checked against the run and the limits before an answer begins.

    Raises:
        ConditionError: A word is unknown.
        ConfigError: It asks for too much.
        RunFolderError: The run has no denoiser yet.
    """
    served, limits = served_run(run, request), limits_of(request)
    spec = served.spec()
    if not served.generates:
        raise RunFolderError(f"{served.name} has no denoiser yet: stage 2 has not begun.")
    rows = body.cond if isinstance(body.cond, list) else [body.cond]
    for words in rows:
        for name, value in words.items():
            spec.factor(name).index(value)
    count = _count(body)
    if count > limits.pictures:
        raise ConfigError(f"{count} pictures are asked for. The most is {limits.pictures}.")
    for name, each in (("cond", body.cond), ("indices", body.indices)):
        if isinstance(each, list) and len(each) != count:
            raise ConfigError(f"{name} has {len(each)} entries for {count} pictures.")
    if _settings(served, body)["num_steps"] > limits.steps:
        raise ConfigError(f"num_steps is {body.num_steps}. The most is {limits.steps}.")
    return body


Body = Annotated[GenerateBody, Depends(known)]
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


@router.post("/stream", response_class=EventSourceResponse)
async def stream(run: Run, body: Body, request: Request) -> AsyncIterator[ServerSentEvent]:
    """Generate pictures and tell how it goes, as server-sent events.

    `queued` gives the place in line, `preview` the predicted clean pictures after a step, and
    `done` every picture as PNG with its settings. Hang up to cancel.
    """
    from latentbloom.app.work.picture_files import preview_uri

    def work(job: Job) -> dict[str, Any]:
        from latentbloom.app.work.generation import described, generate

        def watch(first: int, step: int, steps: int, pixels: Any) -> None:
            pictures = [preview_uri(one) for one in pixels]
            about = {"first": first, "step": step, "steps": steps, "pictures": pictures}
            job.emit("preview", about)

        recipe = recipe_of(run, body)
        records = generate(run.model(), recipe, check=job.check, watch=watch)
        return {"pictures": described(records, run.name), "settings": recipe.settings}

    async for event in stream_of(queue_of(request), request.state.owner, work):
        yield event


@router.post("", response_class=Response, responses=PNG)
async def picture(run: Run, body: Body, request: Request) -> Response:
    """A PNG: the picture, or all of them side by side, with the settings in its text."""

    def work(job: Job) -> bytes:
        import numpy as np

        from latentbloom.app.work.generation import generate
        from latentbloom.app.work.picture_files import png, settings_of, tile

        records = generate(run.model(), recipe_of(run, body), check=job.check)
        about = [settings_of(record, records, run.name) for record in records]
        if len(records) == 1:
            return png(records[0].image, about[0])
        return png(tile(np.stack([r.image for r in records])), {"pictures": about})

    return Response(await result_of(request, work), media_type="image/png")


@router.post("/zip", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
async def archive(run: Run, body: Body, request: Request) -> Response:
    """Every picture as PNG, and `records.json`, in one ZIP."""

    def work(job: Job) -> bytes:
        from latentbloom.app.work.generation import generate
        from latentbloom.app.work.picture_files import zip_of

        return zip_of(generate(run.model(), recipe_of(run, body), check=job.check), run.name)

    return Response(await result_of(request, work), media_type="application/zip")


@router.post("/gif", response_class=Response, responses={200: {"content": {"image/gif": {}}}})
async def film(run: Run, body: Body, request: Request) -> Response:
    """One picture's path from noise as a GIF. Ask for one picture."""

    def work(job: Job) -> bytes:
        from latentbloom.app.work.generation import film_of
        from latentbloom.app.work.picture_files import gif

        return gif(film_of(run.model(), recipe_of(run, body), job.check))

    return Response(await result_of(request, work), media_type="image/gif")


@router.post("/path", response_model=PathInfo)
async def path(run: Run, body: Body, request: Request) -> dict[str, Any]:
    """One picture's path: after each step the noisy and the predicted clean picture."""

    def work(job: Job) -> dict[str, Any]:
        from latentbloom.app.work.generation import path_of
        from latentbloom.app.work.picture_files import as_uris

        found = path_of(run.model(), recipe_of(run, body), job.check)
        pictures = {name: as_uris(found[name]) for name in ("noisy", "clean")}
        return {"times": found["times"], **pictures}

    return await result_of(request, work)


def recipe_of(run: ServedRun, body: GenerateBody) -> Any:
    """The recipe of a checked body. Call this in the queue's thread: it needs PyTorch.

    The sampler adds no noise at its steps, so that near noise gives near pictures.
    """
    from latentbloom.app.work.generation import Recipe
    from latentbloom.diffusion.sampling import steady_sampler
    from latentbloom.model.request import Request as Pictures

    chosen = _settings(run, body)
    return Recipe(
        Pictures(body.cond, _count(body), body.seed, body.indices),
        float(chosen["guidance"]),
        int(chosen["num_steps"]),
        steady_sampler(str(chosen["sampler"])),
        body.near.near() if body.near is not None else None,
    )


def _count(body: GenerateBody) -> int:
    if body.count is not None:
        return body.count
    if isinstance(body.cond, list):
        return max(1, len(body.cond))
    return len(body.indices) if body.indices is not None else USUAL


def _settings(run: ServedRun, body: GenerateBody) -> dict[str, Any]:
    """Sampler, steps and guidance: those of the quality, changed by what is given on its own."""
    chosen = dict(run.qualities()[body.quality] if body.quality else run.usual())
    given = {"guidance": body.guidance, "num_steps": body.num_steps}
    chosen.update({name: value for name, value in given.items() if value is not None})
    return chosen
