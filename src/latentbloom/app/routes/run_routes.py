"""Runs and the queue: what there is, how training gets on, how busy the server is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from latentbloom.app.routes.answers import PROBLEMS, Run, limits_of, queue_of
from latentbloom.app.routes.bodies import Problem, Progress, QueueInfo, RunInfo

router = APIRouter(prefix="/api", responses=PROBLEMS)


@router.get("/runs", response_model=list[RunInfo], tags=["runs"])
def runs(request: Request) -> list[dict[str, Any]]:
    """All runs of this server: their conditions, their size, their scores."""
    return [run.describe() for run in request.app.state.runs.values()]


@router.get("/runs/{run}", response_model=RunInfo, tags=["runs"])
def run_info(run: Run) -> dict[str, Any]:
    """One run."""
    return run.describe()


@router.get("/runs/{run}/progress", response_model=Progress, tags=["runs"])
def progress(run: Run) -> dict[str, Any]:
    """How training gets on, from the run's files: curves as SVG, time left, what to worry about."""
    from latentbloom.app.work.training_progress import progress_of

    return progress_of(run.files())


@router.get("/queue", response_model=QueueInfo, tags=["queue"])
def queue(request: Request) -> dict[str, Any]:
    """How many requests run and wait, and what one request may ask for."""
    running, waiting = queue_of(request).counts()
    return {"running": running, "waiting": waiting, "limits": asdict(limits_of(request))}


@router.delete(
    "/jobs/{job}",
    status_code=204,
    tags=["queue"],
    responses={404: {"model": Problem, "description": "You have no such job."}},
)
def cancel(job: str, request: Request) -> Response:
    """Cancel a job of yours, by the id that `queued` told."""
    from fastapi import HTTPException

    if not queue_of(request).cancel(job, request.state.owner):
        raise HTTPException(404, "You have no such job: it has ended, or it is somebody else's.")
    return Response(status_code=204)
