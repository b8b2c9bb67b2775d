"""The map of latents: where real pictures lie, and what lies between them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from latentbloom.app.jobs import Job
from latentbloom.app.routes.answers import PROBLEMS, Run, result_of
from latentbloom.app.routes.bodies import DecodeBody, Frames, MapInfo, MorphBody

router = APIRouter(prefix="/api/runs/{run}", tags=["explore"], responses=PROBLEMS)


@router.get("/map", response_model=MapInfo)
async def latent_map(run: Run, request: Request) -> dict[str, Any]:
    """Places of real pictures on each map, their labels, and the directions to move in.

    The first call of a run takes some seconds.
    """
    return await result_of(request, lambda _: run.atlas().describe())


@router.get("/map.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def map_pictures(run: Run, request: Request) -> Response:
    """The small pictures of the map, `cols` in a row, in the order of their numbers."""
    sheet = await result_of(request, lambda _: run.atlas().sheet)
    return Response(sheet, media_type="image/png")


@router.post("/decode", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def decode(run: Run, body: DecodeBody, request: Request) -> Response:
    """The picture at a place of the map or of a latent, moved along directions, as PNG."""

    def work(job: Job) -> bytes:
        from latentbloom.app.work.picture_files import png
        from latentbloom.app.work.places import decode_place

        atlas = run.atlas()
        job.check()
        place = body.place.place()
        return png(decode_place(run.autoencoder(), atlas, place, body.amounts, body.refine))

    return Response(await result_of(request, work), media_type="image/png")


@router.post("/morph", response_model=Frames)
async def morph(run: Run, body: MorphBody, request: Request) -> dict[str, Any]:
    """Pictures on the way from one place to another."""

    def work(job: Job) -> dict[str, Any]:
        from latentbloom.app.work.picture_files import as_uris

        return {"pictures": as_uris(_morph(run, body, job))}

    return await result_of(request, work)


@router.post("/morph/gif", response_class=Response, responses={200: {"content": {"image/gif": {}}}})
async def morph_film(run: Run, body: MorphBody, request: Request) -> Response:
    """The same as a GIF."""

    def work(job: Job) -> bytes:
        import numpy as np

        from latentbloom.app.work.picture_files import gif

        there = _morph(run, body, job)
        return gif(np.concatenate([there, there[-2:0:-1]]), fps=8.0)

    return Response(await result_of(request, work), media_type="image/gif")


def _morph(run: Any, body: MorphBody, job: Job) -> Any:
    from latentbloom.app.work import places

    atlas = run.atlas()
    job.check()
    ends = (body.start.place(), body.end.place())
    return places.morph(run.autoencoder(), atlas, ends, body.frames, body.refine, job.check)
