"""Editing."""

from __future__ import annotations

from fastapi import APIRouter

from latentbloom.app.routes.answers import PROBLEMS

router = APIRouter(prefix="/api/runs/{run}", tags=["edit"], responses=PROBLEMS)
