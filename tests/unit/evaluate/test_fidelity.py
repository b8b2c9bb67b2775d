"""Fidelity of reconstructions, by hand and against another program."""

from __future__ import annotations

import pytest
import torch

from latentbloom.evaluate.measures.fidelity import map_distance, psnr, ssim


def random_pictures(seed: int, n: int = 4, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 32, 32), generator=generator, dtype=torch.uint8)


def test_psnr_of_a_known_error() -> None:
    dark = torch.full((2, 1, 16, 16), 100, dtype=torch.uint8)
    assert psnr(dark, dark + 5).tolist() == pytest.approx([34.151, 34.151], abs=1e-3)
    one_off = dark.clone()
    one_off[:, 0, 3, 3] += 1
    assert psnr(dark, dark).tolist() == psnr(dark, one_off).tolist()  # finite: means are taken
    assert psnr(dark, dark).tolist() == pytest.approx([72.213] * 2, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_against_torchmetrics(channels: int) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    a = random_pictures(0, channels=channels)
    b = (a.float() + 40 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1))).clamp(
        0, 255
    )
    mine = ssim(a, b.byte())
    for row in range(len(a)):
        other = structural_similarity_index_measure(
            a[row : row + 1].double(), b[row : row + 1].byte().double(), data_range=255.0
        )
        # Theirs averages over borders as well, where part of the window is padding.
        assert isinstance(other, torch.Tensor)
        assert mine[row].item() == pytest.approx(other.item(), abs=0.02)
    assert ssim(a, a).tolist() == pytest.approx([1.0] * len(a))


def test_map_distance_by_hand() -> None:
    along_x = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    along_y = torch.tensor([0.0, 0.5]).view(1, 2, 1, 1)
    # Unit vectors at right angles are root of 2 apart; length does not count.
    assert map_distance([along_x], [along_y]).tolist() == pytest.approx([2.0])
    assert map_distance([along_x, along_x], [-along_x, along_x * 7]).tolist() == pytest.approx(
        [4.0]
    )
