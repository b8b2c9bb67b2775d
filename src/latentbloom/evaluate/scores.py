"""What `scores.json` holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from latentbloom.commands import command_line
from latentbloom.errors import RunFolderError
from latentbloom.evaluate import FEW
from latentbloom.evaluate.against.about import Against
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import read_json
from latentbloom.notebook import shown_by
from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import reason


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DistanceScore(_Frozen):
    """A distance to held-out real pictures, beside what real training pictures have.

    Arguments:
        name: What was measured, for example "FD@1317/efficientnet-lite2/112".
        value: The distance.
        floor: The same distance of as many real training pictures.
        limit: The distance extrapolated to infinitely many pictures; None for other distances
            than the samples' Fréchet distance, and for very few pictures.
        limit_floor: The same extrapolation for as many real training pictures, near 0 where there
            are more pictures than dimensions.
    """

    name: str
    value: Interval
    floor: Interval
    limit: Interval | None = None
    limit_floor: Interval | None = None

    @property
    def over_floor(self) -> float:
        """The distance in multiples of its floor; 1 is as good as real pictures."""
        return self.value.value / max(self.floor.value, 1e-12)


class ReconstructionScore(_Frozen):
    """How well the autoencoder reconstructs held-out pictures: samples cannot be better.

    Arguments:
        count: Pictures.
        psnr: Mean peak signal-to-noise ratio, in decibels.
        ssim: Mean structural similarity, at most 1.
        perceptual: Mean distance in the feature maps of the scoring network; None in short
            scores. It is not LPIPS, which has other features and learned weights.
        frechet: Distance of reconstructions to the pictures.
    """

    count: int
    psnr: Interval
    ssim: Interval
    perceptual: Interval | None = None
    frechet: DistanceScore


class ControlScore(_Frozen):
    """Condition accuracy of a factor, by a classifier that was trained on real pictures alone.

    Arguments:
        factor: Its name.
        values: Its values.
        asked: How many samples were asked for each value.
        met: For each value, the share of these that the classifier recognises; None where the
            value was not asked for.
        mean: Mean of `met` over the values.
        real: The same share of real held-out pictures, a value: the ceiling.
        real_mean: Mean of `real`.
        confusion: Counts; the row is what was asked for, the column what the classifier sees.
        real_confusion: The same for real pictures; the row is the label.
        trained_on_samples: Mean recall on real held-out pictures of a classifier that was trained
            on the samples alone; None where none was trained.
    """

    factor: str
    values: tuple[str, ...]
    asked: tuple[int, ...]
    met: tuple[Interval | None, ...]
    mean: Interval
    real: tuple[Interval | None, ...]
    real_mean: Interval
    confusion: tuple[tuple[int, ...], ...]
    real_confusion: tuple[tuple[int, ...], ...]
    trained_on_samples: Interval | None = Field(
        default=None, validation_alias=AliasChoices("trained_on_samples", "taught_by_samples")
    )  # the second name is that of earlier files


class DiversityScore(_Frozen):
    """How different the samples of one label are.

    Arguments:
        label: For example "smiling=yes".
        ratio: Mean distance between two samples over that between two real pictures.
        alarm: Whether the samples look alike.
    """

    label: str
    ratio: float
    alarm: bool


class CombinationScore(_Frozen):
    """Samples of combinations of labels that training pictures have, or that they lack.

    Arguments:
        which: "seen" in training, or "unseen".
        combinations: The combinations, in words.
        asked: How many samples were asked for them.
        met: Share of these in which the classifier sees every factor as asked for.
        real: The same for real held-out pictures of these combinations; None without any.
        kernel: Kernel distance to these pictures; None with too few of either.
    """

    which: Literal["seen", "unseen"]
    combinations: tuple[str, ...]
    asked: int
    met: Interval
    real: Interval | None
    kernel: Interval | None


class CopyPair(_Frozen):
    """Index of a sample, name of its nearest training picture, distance of features or latents."""

    sample: int
    train: str
    distance: float


class CopyingScore(_Frozen):
    """Whether samples are copies.

    Arguments:
        share: Share of samples that are nearer to a training picture than 99 % of held-out
            pictures are. Of new real pictures it is 0.01.
        threshold: That distance.
        searched: How many training pictures were searched.
        worst: The nearest pairs.
        measured_by: Features, or the run's latents: by which more are found.
    """

    share: Interval
    threshold: float
    searched: int
    worst: tuple[CopyPair, ...]
    measured_by: Literal["features", "latents"] = "features"


class PictureScores(_Frozen):
    """Scores of a set of generated pictures.

    Arguments:
        features: Network and size.
        samples: How many of the pictures enter the distances.
        val: How many real held-out pictures they are compared with.
        frechet: Fréchet distance.
        kernel: Kernel distance (KID).
        manifold: Precision, recall, density and coverage.
        manifold_floor: The same of real training pictures.
        control: Condition accuracy, one a factor.
        combinations: Seen and unseen ones, where val has combinations that training lacks.
        diversity: One a label.
        copying: None without training pictures.
        notes: What a reader should know, in sentences.
    """

    features: str
    samples: int
    val: int
    frechet: DistanceScore
    kernel: DistanceScore
    manifold: dict[str, Interval]
    manifold_floor: dict[str, Interval]
    control: tuple[ControlScore, ...]
    combinations: tuple[CombinationScore, ...] = ()
    diversity: tuple[DiversityScore, ...]
    copying: CopyingScore | None
    notes: tuple[str, ...]

    @property
    def few(self) -> bool:
        """Whether there are so few pictures that KID is shown before the Fréchet distance."""
        return min(self.samples, self.val) < FEW


class Scores(_Frozen):
    """All scores of a run.

    Arguments:
        version: Of this format.
        against: The source that they compare with; None for the run's held-out pictures.
        short: Whether fewer pictures were used to save time.
        seed: Of the samples.
        settings: How the samples were generated: sampler, steps, guidance.
        reconstruction: None where there is no autoencoder.
        pictures: Scores of the samples.
        seconds: Duration of each part.
    """

    version: int = 1
    against: Against | None = None
    short: bool
    seed: int
    settings: dict[str, float | str] = {}
    reconstruction: ReconstructionScore | None
    pictures: PictureScores
    seconds: dict[str, float]

    _repr_html_ = shown_by("latentbloom.evaluate.score_table", "score_table")

    def save(self, path: Path) -> None:
        """Write them as JSON, atomically."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read scores that `save` wrote.

        Raises:
            RunFolderError: There is no such file, or it cannot be read as scores.
        """
        score = command_line("evaluate", path.parent)
        try:
            return cls.model_validate(read_json(path, folder=path.parent))
        except FileNotFoundError:
            raise RunFolderError(f"There is no {path}. Score the run first: {score}") from None
        except (ValidationError, ForeignError) as error:
            why = f"it {error}" if isinstance(error, ForeignError) else type(error).__name__
            what = f"{path} cannot be read as scores of this version ({why})"
            raise RunFolderError(f"{what}. Score the run again: {score}") from error
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {reason(error)}.") from error
