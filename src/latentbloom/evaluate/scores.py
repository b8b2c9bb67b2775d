"""What `scores.json` holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from latentbloom.errors import RunFolderError
from latentbloom.evaluate import FEW
from latentbloom.evaluate.measures.distances import Interval
from latentbloom.files import write_atomic


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DistanceScore(_Frozen):
    """A distance to kept-aside real pictures, beside what real pictures have.

    Arguments:
        name: What was measured, for example "FD@1317/efficientnet-lite2/112".
        value: The distance.
        floor: The same distance of as many real training pictures.
    """

    name: str
    value: Interval
    floor: Interval

    @property
    def over_floor(self) -> float:
        """How many times the floor; 1 is as good as real."""
        return self.value.value / max(self.floor.value, 1e-12)


class ReconstructionScore(_Frozen):
    """How well the autoencoder brings back kept-aside pictures: a bound on what samples reach.

    Arguments:
        count: Pictures.
        psnr: Mean peak signal-to-noise ratio, in decibels.
        ssim: Mean structural similarity, at most 1.
        perceptual: Mean distance in the feature maps of the scoring network; None in short
            scores. It is no LPIPS, which has other features and learned weights.
        frechet: Distance of reconstructions to the pictures.
    """

    count: int
    psnr: Interval
    ssim: Interval
    perceptual: Interval | None = None
    frechet: DistanceScore


class ControlScore(_Frozen):
    """How often a factor comes out as asked, by a judge that saw only real pictures.

    Arguments:
        factor: Its name.
        values: Its values.
        asked: How many samples were asked for each value.
        met: Share that the judge agrees with, a value; None where none was asked.
        mean: Mean of `met` over the values.
        real: What the judge reaches on real kept-aside pictures, a value: the ceiling.
        real_mean: Mean of `real`.
        confusion: Counts; row is what was asked, column what the judge sees.
        real_confusion: The same for real pictures; row is the label.
        taught_by_samples: What a judge that was taught by the samples alone reaches on real
            kept-aside pictures, mean over the values; None where it was not tried.
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
    taught_by_samples: Interval | None = None


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
    """Samples of combinations of labels that training showed, or of those that it did not.

    Arguments:
        which: "seen" or "unseen".
        combinations: Which they are, in words.
        asked: Samples.
        met: Share in which the judge sees every factor as asked.
        real: The same of real kept-aside pictures of these combinations; None without any.
        kernel: Kernel distance to those; None with too few of either.
    """

    which: Literal["seen", "unseen"]
    combinations: tuple[str, ...]
    asked: int
    met: Interval
    real: Interval | None
    kernel: Interval | None


class CopyPair(_Frozen):
    """A sample and its nearest training picture.

    Arguments:
        sample: Index of the sample.
        train: Name of the training picture.
        distance: In feature space.
    """

    sample: int
    train: str
    distance: float


class CopyingScore(_Frozen):
    """Whether samples are copies.

    Arguments:
        share: Samples nearer to a training picture than 99 % of kept-aside pictures are. New
            real pictures have 0.01.
        threshold: That distance.
        searched: Training pictures looked through.
        worst: The nearest pairs.
    """

    share: Interval
    threshold: float
    searched: int
    worst: tuple[CopyPair, ...]


class PictureScores(_Frozen):
    """Scores of a set of generated pictures.

    Arguments:
        features: Network and size.
        samples: Pictures in the distances.
        val: Real kept-aside pictures compared with.
        frechet: Fréchet distance.
        kernel: Kernel distance (KID).
        manifold: Precision, recall, density and coverage.
        manifold_floor: The same of real training pictures.
        control: One a factor.
        combinations: Where val has combinations that training lacks: seen ones, and unseen ones.
        diversity: One a label.
        copying: None where there were no training pictures to search.
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
        """Whether pictures are so few that KID comes before the Fréchet distance."""
        return min(self.samples, self.val) < FEW


class Scores(_Frozen):
    """Everything that is known about how good a run is.

    Arguments:
        version: Of this format.
        short: Whether pictures were saved on for the sake of time.
        seed: Of the samples.
        settings: How the samples were drawn: sampler, steps, guidance.
        reconstruction: None where there is no autoencoder.
        pictures: Scores of the samples.
        seconds: What took how long.
    """

    version: int = 1
    short: bool
    seed: int
    settings: dict[str, float | str] = {}
    reconstruction: ReconstructionScore | None
    pictures: PictureScores
    seconds: dict[str, float]

    def save(self, path: Path) -> None:
        """Write them as JSON, beside the place first, so that a reader never sees half."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Scores:
        """Read what `save` wrote.

        Raises:
            RunFolderError: There is no such file, or it was written by something else.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunFolderError(
                f"There is no {path}. Score the run first: latentbloom evaluate {path.parent}"
            ) from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise RunFolderError(
                f"{path} cannot be read as scores of this version ({type(error).__name__}). "
                f"Score the run again: latentbloom evaluate {path.parent}"
            ) from error
