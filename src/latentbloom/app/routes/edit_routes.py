"""Real pictures: held-out ones, a user's own, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from latentbloom.app.jobs import Job
from latentbloom.app.routes.answers import PROBLEMS, Run, limits_of, result_of
from latentbloom.app.routes.bodies import EditedPictures, Fitted, HeldOutPage
from latentbloom.app.work.editing import (
    Change,
    Original,
    describe_original,
    edited,
    edited_png,
)
from latentbloom.errors import ConditionError, RunFolderError
from latentbloom.model.editing.defaults import STRENGTH, STRIP

router = APIRouter(prefix="/api/runs/{run}", tags=["edit"], responses=PROBLEMS)

Strength = Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)]
Method = Literal["flowedit", "shift", "sdedit", "ddim"]


async def original(
    run: Run,
    picture: Annotated[UploadFile | None, File(description="a picture of yours")] = None,
    held_out: Annotated[
        int | None, Form(ge=0, le=10**9, description="or the number of a held-out one")
    ] = None,
) -> Original:
    """The picture that a form holds.

    Raises:
        ConfigError: There is none, or both are given.
        RunFolderError: The run cannot edit.
    """
    if not run.edits:
        raise RunFolderError(
            f"{run.name} cannot edit pictures: it has no denoiser yet, or no autoencoder."
        )
    return Original(None if picture is None else await picture.read(), held_out)


def wanted(
    run: Run,
    to: Annotated[
        list[str],
        Form(max_length=100, description="what to change, as in smiling=yes; repeat it"),
    ],
    method: Annotated[Method, Form()] = "flowedit",
) -> Change:
    """What a form asks for.

    Raises:
        ConditionError: A word is unknown, or there is nothing to change.
    """
    words = run.spec().parse(to)
    if not words or "any" in words.values():
        raise ConditionError("Say what to change, and to which value, as in smiling=yes.")
    return Change(words, (), method)


Picture = Annotated[Original, Depends(original)]
Wanted = Annotated[Change, Depends(wanted)]


@router.get("/pictures", response_model=HeldOutPage)
async def held_out_pictures(
    run: Run,
    request: Request,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=60)] = 24,
) -> dict[str, Any]:
    """Real pictures that the model has not seen, `count` of them from number `start` on."""

    def work(_: Job) -> dict[str, Any]:
        from latentbloom.app.work.picture_files import as_uris

        found = run.held_out()
        numbers = list(range(start, min(start + count, len(found))))
        pictures = as_uris(found.pixels(numbers)) if numbers or found.why else []
        return {
            "total": len(found),
            "which": found.which,
            "start": start,
            "words": found.words(numbers),
            "pictures": pictures,
        }

    return await result_of(request, work)


@router.post("/edit/fit", response_model=Fitted)
async def fit(run: Run, picture: Picture, request: Request) -> dict[str, Any]:
    """A picture as the model sees it: cropped and sized as in training, and what it shows."""
    limits = limits_of(request)
    return await result_of(request, lambda _: describe_original(run, picture, limits))


@router.post("/edit", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def edit(
    run: Run, picture: Picture, change: Wanted, request: Request, strength: Strength = STRENGTH
) -> Response:
    """Change conditions of a picture and keep the rest; the answer is a PNG."""
    limits = limits_of(request)
    asked = Change(change.to, (strength,), change.method)
    made = await result_of(request, lambda job: edited_png(run, picture, asked, limits, job))
    return Response(made, media_type="image/png")


@router.post("/edit/strip", response_model=EditedPictures)
async def edit_strip(
    run: Run,
    picture: Picture,
    change: Wanted,
    request: Request,
    strengths: Annotated[
        list[Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)]] | None,
        Form(max_length=11, description="each from 0 to 1; default 0, 0.2, ... 1"),
    ] = None,
) -> dict[str, Any]:
    """The same at several strengths, with the original and what the model found in it."""
    limits = limits_of(request)
    asked = Change(change.to, tuple(strengths or STRIP), change.method)
    return await result_of(request, lambda job: edited(run, picture, asked, limits, job))
