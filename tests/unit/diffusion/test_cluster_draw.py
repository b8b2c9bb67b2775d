"""Which cluster a sample belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.diffusion.cluster_draw import Clusters
from latentbloom.errors import CheckpointError
from latentbloom.model.described import described_clusters
from latentbloom.model.request import Request

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("glasses", ("no", "yes"))))
# smiling, glasses (2: unknown), cluster, pictures
ROWS = [[0, 0, 1, 30], [0, 0, 2, 10], [1, 0, 2, 20], [1, 0, 3, 20], [0, 1, 4, 5], [0, 2, 4, 15]]


def clusters(rows: list[list[int]] = ROWS) -> Clusters:
    found = described_clusters({"clusters": rows}, SPEC, 4, Path("run"))
    assert found is not None
    return found


def draw(request: Request, rows: list[list[int]] = ROWS) -> torch.Tensor:
    return clusters(rows).draw(request.cond(SPEC), request.seed, request.indices)


@pytest.mark.parametrize(
    ("words", "shares"),
    [
        ({"smiling": "no", "glasses": "no"}, (0.75, 0.25, 0, 0)),
        ({"smiling": "yes"}, (0, 0.5, 0.5, 0)),
        ({"glasses": "yes"}, (0, 0, 0, 1)),
        ({}, (0.3, 0.3, 0.2, 0.2)),
        # No picture shows both: those that smile count as much as those with glasses.
        ({"smiling": "yes", "glasses": "yes"}, (0, 20 / 45, 20 / 45, 5 / 45)),
    ],
)
def test_clusters_are_drawn_as_often_as_pictures_of_these_labels_have_them(
    words: dict[str, str], shares: tuple[float, ...]
) -> None:
    drawn = draw(Request(words, 4000, seed=1))
    found = torch.bincount(drawn, minlength=5)[1:] / 4000
    assert found.tolist() == pytest.approx(shares, abs=0.03)


def test_a_draw_depends_on_the_words_the_seed_and_the_number_alone() -> None:
    whole = draw(Request({"smiling": "no"}, 50, seed=7))
    mixed = Request([{"smiling": "yes"}, {"smiling": "no"}], seed=7, indices=[3, 31])
    assert draw(mixed)[1] == whole[31]
    assert not torch.equal(draw(Request({"smiling": "no"}, 50, seed=8)), whole)


def test_other_words_change_a_draw_no_more_often_than_their_pictures_differ() -> None:
    alike = [[0, 0, k, 10 + k] for k in (1, 2, 3, 4)] + [[1, 0, k, 11 + k] for k in (1, 2, 3, 4)]
    no, yes = (draw(Request({"smiling": word}, 2000, seed=0), alike) for word in ("no", "yes"))
    assert (no != yes).float().mean() < 0.03
    assert len(no.unique()) == 4


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        {"a": 1},
        [[0, 0, 1]],
        [[0, 0, 0, 1]],
        [[0, 0, 5, 1]],
        [[3, 0, 1, 1]],
        [[0, 0, 1, 0]],
        [[0, 0, 1, 2.5]],
        [[0, 0, 1, True]],
        [[0, 0, 1, 10**30]],
    ],
)
def test_a_checkpoint_with_other_rows_is_refused(rows: object) -> None:
    with pytest.raises(CheckpointError, match="no readable 'clusters', rows of 2 labels"):
        described_clusters({"clusters": rows}, SPEC, 4, Path("run"))


def test_a_network_without_clusters_needs_none() -> None:
    assert described_clusters({}, SPEC, 0, Path("run")) is None
