"""What a fast scan does to an image: noise of the receiver, and lines of k-space that were not measured.

Belongs here: arithmetic on one image. What is learned from pairs of images is `training.tasks.restoration`.
"""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def rician(values: Image, sigma: float, draw: np.random.Generator) -> Image:
    """A magnitude image with the noise of its real and imaginary channel, each Gaussian with deviation `sigma`.

    Source: Gudbjartsson and Patz, The Rician distribution of noisy MRI data, 1995, equation 1.

    Args:
        values: (x, y, z) magnitudes.
        sigma: deviation of a channel's noise, in the unit of `values`.
        draw: random numbers.
    """
    real, imaginary = (draw.standard_normal(values.shape, np.float32) * np.float32(sigma) for _ in range(2))
    return np.hypot(values + real, imaginary)


def lines(
    count: int, acceleration: float, centre: float, partial: float, draw: np.random.Generator
) -> NDArray[np.bool_]:
    """(count,) which lines of k-space are measured, the middle one without phase encoding.

    Beside a band around the middle that is measured whole, lines stand at equal distances from a random first one
    (Zbontar et al., fastMRI, 2018, section 4.4); partial Fourier leaves out one end (McGibney et al., 1993).

    Args:
        count: lines.
        acceleration: lines that the whole would have for each one measured outside the band; 1: all are measured.
        centre: share of the lines in the band.
        partial: share of k-space that is measured, from the other end; above a half.
        draw: random numbers.
    """
    place = np.arange(count)
    first = draw.random() * acceleration
    kept = np.floor((place - first) / acceleration) != np.floor((place - first - 1) / acceleration)
    kept |= np.abs(place - count // 2) <= centre * count / 2
    return kept & (place >= int((1 - partial) * count))


def undersampled(values: Image, axis: int, kept: NDArray[np.bool_]) -> Image:
    """The magnitude image of the lines of k-space that were measured; the others are zero.

    Lines along an axis are a Fourier transform along that axis alone, whatever the others are.

    Args:
        values: (x, y, z) magnitudes.
        axis: of phase encoding.
        kept: measured lines, the one without phase encoding in the middle.
    """
    space = np.fft.fftshift(np.fft.fft(values, axis=axis), axes=axis)
    measured = np.moveaxis(np.moveaxis(space, axis, -1) * kept, -1, axis)
    return np.abs(np.fft.ifft(np.fft.ifftshift(measured, axes=axis), axis=axis)).astype(np.float32)
