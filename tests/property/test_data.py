"""Splits, names and squares, whatever the data."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latentbloom.data.pixels import LARGEST_SUGGESTED, SIZES, fit_square, suggest_size
from latentbloom.data.sources.labels.hold_out_share import choose_val
from latentbloom.data.sources.labels.names import natural_key

NAMES = st.lists(
    st.text(alphabet="abc/0123456789", min_size=1, max_size=6), min_size=1, max_size=60, unique=True
)


@given(NAMES, st.integers(1, 4), st.floats(0.0, 0.9), st.integers(0, 3))
def test_kept_aside_are_the_asked_share_of_each_stratum(
    names: list[str], strata: int, share: float, seed: int
) -> None:
    of = {name: place % strata for place, name in enumerate(names)}

    picked = choose_val(names, [of[name] for name in names], share=share, seed=seed)

    assert picked <= set(names)
    for stratum in range(strata):
        members = [name for name in names if of[name] == stratum]
        count = sum(name in picked for name in members)
        if round(share * len(members)):  # the last picture of a value stays in train
            assert count == min(round(share * len(members)), len(members) - 1)
    assert abs(len(picked) - share * len(names)) <= strata


@given(NAMES, st.floats(0.01, 0.9), st.randoms())
def test_the_choice_does_not_depend_on_the_order(
    names: list[str], share: float, random: np.random.Generator
) -> None:
    strata = {name: (len(name), name[:1]) for name in names}
    shuffled = list(names)
    random.shuffle(shuffled)

    one = choose_val(names, [strata[n] for n in names], share=share)
    other = choose_val(shuffled, [strata[n] for n in shuffled], share=share)

    assert one == other


@given(NAMES, st.text(alphabet="xyz", min_size=1), st.floats(0.01, 0.9))
def test_a_picture_that_is_added_moves_at_most_one_other(
    names: list[str], new: str, share: float
) -> None:
    before = choose_val(names, [0] * len(names), share=share)
    after = choose_val([*names, new], [0] * (len(names) + 1), share=share)

    moved = {name for name in names if (name in before) != (name in after)}
    assert len(moved) <= 1


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    names = [f"img{number}.png" for number in numbers]

    assert sorted(names, key=natural_key) == [f"img{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(), unique=True))
def test_natural_order_tells_all_names_apart(names: list[str]) -> None:
    assert len({natural_key(name) for name in names}) == len(names)
    assert sorted(sorted(names, key=natural_key), key=natural_key) == sorted(names, key=natural_key)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from((1, 3)),
    st.integers(1, 40),
    st.sampled_from(("crop", "squeeze")),
    st.integers(0, 255),
)
def test_squares_keep_flat_pictures_flat(
    height: int, width: int, channels: int, size: int, fit: str, level: int
) -> None:
    pixels = np.full((height, width, channels), level, np.uint8)

    square = fit_square(pixels, size, fit=fit)  # type: ignore[arg-type]

    assert square.shape == (size, size, channels)
    assert np.abs(square.astype(int) - level).max() <= 1


@given(st.floats(1, 5000), st.sampled_from(("cpu", "cuda", "mps")))
def test_suggested_sizes_are_known_and_not_above_the_pictures(short: float, device: str) -> None:
    size = suggest_size(short, device)

    assert size in SIZES
    assert size <= max(short, SIZES[0])
    assert device != "cpu" or size <= 64
    most = min(short, LARGEST_SUGGESTED)
    assert not any(size < larger <= most for larger in SIZES if device != "cpu")
