"""Which pictures a run uses, and how they are cut to one shape."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from latentbloom.config.settings_base import Settings, Size

Background = Literal["keep", "white", "grey", "black"]

SOURCE_SETTINGS = ("root", "factors", "splits", "crop", "background")
"""Options of `SourceOptions` that particular sources take."""

LABEL_SETTINGS = ("bins", "values_as_written")
"""Options of `SourceOptions` that say how the labels of folders and tables are read."""


class SourceOptions(Settings):
    """Which pictures, and how their source is opened."""

    source: str = Field(
        "", description="Folder, zip or tar, file of labels, built-in source, wds:SHARDS or hf:NAME"
    )
    root: str = Field(
        "data", description="celeba, flowers102: folder that holds the data set, or receives it"
    )
    factors: str = Field(
        "",
        description="Conditions to use, as in smiling,male; default all, for celeba smiling; "
        "colour is found in the pictures of any source",
    )
    bins: str = Field(
        "",
        description="Columns of numbers to put into bins, as in age=4 (about as many pictures "
        "each) or age=30/45/60",
    )
    values_as_written: bool = Field(
        False,
        description="Take words of labels as they are written: nan, 0 and 1, Red and red",
    )
    splits: str = Field(
        "", description="celeba, flowers102: splits to train on, as in train,val; default train"
    )
    crop: Literal[108, 148, 178] = Field(
        148, description="celeba: side of the centre crop, of 178 pixels"
    )
    background: Background = Field(
        "keep", description="flowers102: what stands behind the flowers; needs segmentations"
    )
    hold_out: str = Field(
        "",
        description="Combinations to hold out of training, as in species=rose,colour=blue; or "
        "the share of them, as in 0.1",
    )
    val_share: Annotated[float, Field(ge=0.0, le=0.9)] = Field(
        0.1, description="Share of pictures to hold out for validation when there is no val/"
    )


class DataSettings(SourceOptions):
    """Which pictures, and how they are cut to one shape."""

    size: Size | None = Field(None, description="Height and width of the model's pictures, pixels")
    channels: Literal[1, 3] | None = Field(
        None, description="1 grey, 3 colour; default as in the pictures"
    )
    fit: Literal["crop", "squeeze"] = Field(
        "crop", description="Crop pictures to a square, or squeeze them into one"
    )
    mirror: bool | None = Field(
        None, description="Also train on mirrored pictures; default where encoding them is quick"
    )
    cache_mb: Annotated[int, Field(ge=1, le=1_048_576)] = Field(
        256, description="Size limit of the cache of decoded pictures, MB"
    )

    @property
    def mirrored(self) -> bool:
        """Whether to train on mirrored pictures, too; None, not chosen yet, counts as yes."""
        return self.mirror is not False
