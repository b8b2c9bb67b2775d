"""What of the original an edit keeps, and where."""

from __future__ import annotations

import pytest
import torch

from latentbloom.model.editing.shown import changed_picture


def pictures(seed: int, size: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_without_a_change_it_is_the_original_to_the_bit() -> None:
    x, decoded = pictures(0), pictures(1)
    assert torch.equal(changed_picture(x, decoded, decoded), x)


def test_another_colour_keeps_the_detail_that_the_decoder_lost() -> None:
    x, decoded = pictures(0), pictures(1)
    colour = torch.tensor([0.5, -0.7, 0.1])[:, None, None]
    assert torch.allclose(changed_picture(x, decoded, decoded + colour), x + colour, atol=1e-5)


@pytest.mark.parametrize("size", [32, 128])
def test_where_shapes_change_the_decoded_picture_is_shown_and_elsewhere_the_original(
    size: int,
) -> None:
    """A mouth that closes: its teeth, which the decoder never drew, go with it."""
    x, before = pictures(0, size), pictures(1, size)
    after = before.clone()
    half = size // 2
    after[:, :, :half] = pictures(2, size)[:, :, :half]
    shown = changed_picture(x, before, after)
    apart = 1 + round(size / 4)  # two blurs, two standard deviations each, and a pixel
    inside, outside = slice(half - apart), slice(half + apart, None)
    assert torch.allclose(shown[:, :, inside], after[:, :, inside], atol=1e-5)
    assert torch.allclose(shown[:, :, outside], x[:, :, outside], atol=1e-5)
