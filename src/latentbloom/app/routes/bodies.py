"""What requests and answers of the API hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from latentbloom.app.work.asked import Near, Place

Seed = Annotated[int, Field(ge=-(2**63) + 1, le=2**63 - 1)]
Index = Annotated[int, Field(ge=0, le=2**32 - 1)]
Words = Annotated[dict[str, str], Field(max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Quality = Literal["draft", "balanced", "best"]


class Body(BaseModel):
    """Settings of every body."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class NearBody(Body):
    """Noise near that of one picture."""

    index: Index = Field(0, description="number of the picture under the same seed")
    distance: float = Field(
        0.3, ge=0, le=1, allow_inf_nan=False, description="0: its own noise; 1: another one"
    )

    def near(self) -> Near:
        """As the work takes it."""
        return Near(self.index, self.distance)


class GenerateBody(Body):
    """Which pictures to generate. The same body always gives the same pictures."""

    cond: Words | Annotated[list[Words], Field(max_length=1024)] = Field(
        default_factory=dict,
        description='words by factor, such as {"colour": "red"}; or one such object a picture. '
        'A factor that is left out, or "any", is left open',
        examples=[{}],
    )
    count: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="how many pictures; default one for each of cond or indices, else 8"
    )
    seed: Seed = Field(0, description="with a picture's number it determines the noise")
    indices: Annotated[list[Index], Field(min_length=1, max_length=1024)] | None = Field(
        None, description="numbers of the pictures; default 0, 1, 2, ..."
    )
    quality: Quality | None = Field(
        None, description="steps, sampler and guidance in one word; default as trained"
    )
    guidance: float | None = Field(
        None, ge=0, le=20, allow_inf_nan=False, description="1 plain conditional, above stronger"
    )
    num_steps: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="solver steps, instead of those of the quality"
    )
    near: NearBody | None = Field(
        None, description="start from noise near that of one picture, not from each one's own"
    )


class PlaceBody(Body):
    """A place on the map of latents: a picture's number, or coordinates, or a latent."""

    point: Annotated[int, Field(ge=0, le=10**6)] | None = None
    map: Annotated[str, Field(max_length=20)] | None = Field(
        None, description="name of a map", examples=["PCA"]
    )
    x: float = Field(500, ge=0, le=1000, allow_inf_nan=False, description="0 left, 1000 right")
    y: float = Field(500, ge=0, le=1000, allow_inf_nan=False, description="0 top, 1000 bottom")
    z: Annotated[list[Amount], Field(max_length=49_152)] | None = Field(
        None, description="a normalised latent, flat"
    )

    def place(self) -> Place:
        """As the work takes it; the first picture where nothing is named."""
        if self.z is None and self.point is None and self.map is None:
            return Place(point=0)
        return Place(self.point, self.map, self.x, self.y, self.z)


class DecodeBody(Body):
    """A place, moved along directions."""

    place: PlaceBody = Field(default_factory=PlaceBody)
    amounts: Annotated[dict[str, Amount], Field(max_length=500)] = Field(
        default_factory=dict,
        description="how far along which direction; 1 is one standard deviation, or from the "
        "mean of all pictures to that of a value",
        examples=[{}],
    )
    refine: bool = Field(False, description="let the denoiser sharpen what is blurred")


class MorphBody(Body):
    """Two places, and how many pictures from one to the other."""

    start: PlaceBody = Field(default_factory=PlaceBody)
    end: PlaceBody = Field(default_factory=lambda: PlaceBody(point=1))
    frames: int = Field(9, ge=2, le=32)
    refine: bool = True


class RunInfo(BaseModel):
    """What is known of a run without loading its model."""

    name: str
    state: Literal["finished", "training", "stopped"]
    summary: list[str]
    numbers: list[dict[str, str]]
    source: str
    size: int
    channels: int
    family: str
    factors: list[dict[str, Any]]
    generates: bool
    explores: bool
    edits: bool
    sampling: dict[str, Any]
    qualities: dict[str, dict[str, Any]]


class MapInfo(BaseModel):
    """The map of latents. Coordinates run from 0 to 1000."""

    count: int
    which: str
    maps: dict[str, list[list[int]]]
    factors: list[dict[str, Any]]
    directions: list[str]
    cols: int
    thumb: int
    variance: float
    latent: list[int]


class PathInfo(BaseModel):
    """One picture's path from noise, each picture as a data: address of a PNG."""

    times: list[float]
    noisy: list[str]
    clean: list[str]


class Frames(BaseModel):
    """Pictures, each as a data: address of a PNG."""

    pictures: list[str]


class HeldOutPage(BaseModel):
    """Some held-out pictures."""

    total: int
    which: str
    start: int
    words: list[dict[str, str]]
    pictures: list[str]


class Fitted(BaseModel):
    """A user's picture at the model's size."""

    picture: str
    note: str
    source: dict[str, str]
    confidence: dict[str, float]


class EditedPictures(BaseModel):
    """A picture at several strengths of an edit, each as a data: address of a PNG."""

    original: str
    note: str
    source: dict[str, str]
    confidence: dict[str, float]
    cond: dict[str, str]
    unchanged: bool
    strengths: list[float]
    pictures: list[str]
    settings: dict[str, Any]


class Progress(BaseModel):
    """How a run is getting on."""

    state: Literal["finished", "training", "stopped"]
    sentences: list[str]
    worries: list[str]
    stages: list[dict[str, Any]]
    seconds_left: float | None
    preview: str | None
    changed: float


class QueueInfo(BaseModel):
    """How busy the server is."""

    running: int
    waiting: int
    limits: dict[str, float]
