"""Fidelity of reconstructions, by hand and against another program."""

from __future__ import annotations

import numpy as np
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
def test_ssim_by_the_formula(channels: int) -> None:
    from scipy.ndimage import correlate1d

    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))

    def mean(z: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            z = correlate1d(z, line / line.sum(), axis=axis)
        return z[5:-5, 5:-5]  # where the whole window fits

    a = random_pictures(0, channels=channels)
    noise = 40 * torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    b = (a.float() + noise).clamp(0, 255).byte()
    found = ssim(a, b)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for row in range(len(a)):
        places = []
        for x, y in zip(a[row].double().numpy(), b[row].double().numpy(), strict=True):
            mx, my = mean(x), mean(y)
            vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
            top, bottom = (
                (2 * mx * my + c1) * (2 * both + c2),
                (mx**2 + my**2 + c1) * (vx + vy + c2),
            )
            places.append(top / bottom)
        assert found[row].item() == pytest.approx(np.mean(places), abs=1e-4)
    assert ssim(a, a).tolist() == pytest.approx([1.0] * len(a))


def test_psnr_by_the_formula() -> None:
    a, b = random_pictures(0), random_pictures(1)
    error = ((a.double() - b.double()) ** 2).mean(dim=(1, 2, 3))
    expected = 10 * torch.log10(255.0**2 / error)
    assert psnr(a, b).tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_map_distance_by_hand() -> None:
    along_x = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    along_y = torch.tensor([0.0, 0.5]).view(1, 2, 1, 1)
    # Unit vectors at right angles are root of 2 apart; length does not count.
    assert map_distance([along_x], [along_y]).tolist() == pytest.approx([2.0])
    assert map_distance([along_x, along_x], [-along_x, along_x * 7]).tolist() == pytest.approx(
        [4.0]
    )
