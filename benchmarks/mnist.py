"""How good are painted digits? `python -m benchmarks.mnist MNIST OUT [MODEL …]`.

MNIST is the folder with the four idx files. A reader that is trained on real digits (`digits`) looks at 10,000 of
each model: Fréchet distance of its features to the test digits, how evenly the classes come, and how many are read
with confidence. Beside it stands the same of training digits in the place of painted ones.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import digits

COUNT = 10_000
CONFIDENT = 0.9


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between the normal distributions that fit two sets of features (N, D): squared distance of the means, plus
    the trace of C_a + C_b - 2 (C_a C_b)^½ (Heusel et al. 2017, arXiv:1706.08500, equation 6)."""
    a, b = a.double(), b.double()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * both
    return max(0.0, distance.item())


def row(name: str, features: Tensor, probabilities: Tensor, real: Tensor) -> str:
    share = torch.bincount(probabilities.argmax(1), minlength=10).double() / len(probabilities)
    kl = (share.clamp_min(1e-12) * (share.clamp_min(1e-12) * 10).log()).sum().item()
    best = probabilities.max(1).values
    confident = 100 * (best >= CONFIDENT).double().mean().item()
    return (
        f"| {name} | {frechet_distance(features, real):.2f} | {kl:.4f} | {100 * share.min():.1f} to "
        f"{100 * share.max():.1f} % | {confident:.1f} % | {best.mean():.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", default=["mnist-seed", "mnist-best"])
    options = parser.parse_args()
    os.environ["GANART_MNIST"] = str(options.mnist)
    os.environ.setdefault("GANART_HOME", str(options.out))
    from ganart import checkpoint, latent, mnist, models, render

    pixels, _ = mnist.load()
    reader = digits.trained(options.out, pixels, digits.labels(options.mnist))
    real, probabilities = digits.read(reader, digits.floats(pixels[60_000:]))
    head = ["10,000 digits", "Fréchet distance to test digits", "KL of the classes to even ones"]
    head += ["rarest to commonest class", f"read with {CONFIDENT:.0%} confidence", "mean confidence"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    chosen = np.random.default_rng(0).permutation(60_000)[:COUNT]
    print(row("training digits (floor)", *digits.read(reader, digits.floats(pixels[np.sort(chosen)])), real))
    print(row("test digits", real, probabilities, real))
    for name in options.models:
        G, card = checkpoint.load_generator(models.find_model(name).path)
        painted = render.pictures(G, latent.sample_z(list(range(COUNT)), card.networks.z_dim))
        print(row(name, *digits.read(reader, digits.floats(painted)), real), flush=True)


if __name__ == "__main__":
    main()
