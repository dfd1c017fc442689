"""Classical filters on noisy images, in the peers' environment: `python denoise_runner.py FOLDER`.

Belongs here: calling BM4D and non-local means. The folder's `jobs.json` lists what to do; images are `.npy`, scaled so
that the 99th percentile of the clean one is 1.
"""

import json
import sys
from pathlib import Path

import numpy as np


def filtered(image, method, sigma, strength):
    """(x, y, z) image without its noise and without the bias that the noise of a magnitude image is.

    Noise adds its variance to the square of the mean of a magnitude (Gudbjartsson and Patz, 1995, equation 3).
    """
    if method == "bm4d":
        from bm4d import bm4d

        smooth = bm4d(image, strength * sigma)
    else:
        from skimage.restoration import denoise_nl_means

        smooth = denoise_nl_means(
            image, patch_size=3, patch_distance=5, h=strength * sigma, sigma=sigma, fast_mode=True
        )
    return np.sqrt(np.maximum(np.square(smooth, dtype=np.float64) - sigma**2, 0)).astype(np.float32)


def main(folder):
    """Do every job whose output is not there yet."""
    for job in json.loads((folder / "jobs.json").read_text()):
        if not (folder / job["output"]).exists():
            image = np.load(folder / job["input"])
            np.save(folder / job["output"], filtered(image, job["method"], job["sigma"], job["strength"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
