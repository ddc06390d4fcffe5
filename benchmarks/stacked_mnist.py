"""How many of a thousand modes? `python -m benchmarks.stacked_mnist MNIST OUT [--steps 20000] [--trials 3]`.

Stacked MNIST: three digits in the three channels of a picture, a thousand kinds. The tiny networks of the
right-hand table of the published protocol (Metz et al. 2017, arXiv:1611.02163, appendix; Lin et al. 2018,
arXiv:1712.04086, table 3): a G of 64-32-16-8 channels against a D of a quarter or a half of its size, z 256, batch
128, Adam 1e-4 for G and 2e-4 for D with betas 0.5 and 0.99. 25,600 pictures are read by a network trained here
(`digits`): how many kinds occur, and the KL divergence of their frequencies to even ones; a thousand kinds drawn
evenly would give 0.019.

The published figures are after 500,000 steps; --steps says how many are made here. Each trial saves its state
every 1,000 steps into OUT and goes on from there; what is done is read again.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from benchmarks import digits
from ganart import losses

Z, BATCH, SAMPLES = 256, 128, 25_600
SHARES = {"1/4": 2, "1/2": 4}  # D's share of G: its first width
RECIPES = {  # name: (pictures that D sees at once, relativistic with R1 and R2)
    "textbook DCGAN": (1, False),
    "packing 2": (2, False),
    "RpGAN + R1 + R2": (1, True),
}
GAMMA = 1.0
PUBLISHED = {
    ("textbook DCGAN", "1/4"): "78.5 ± 17.6, 5.21",
    ("textbook DCGAN", "1/2"): "487.7 ± 34.6, 2.24",
    ("packing 2", "1/4"): "484.5 ± 33.0, 2.61",
    ("packing 2", "1/2"): "840.7 ± 15.9, 1.00",
}


def networks(width: int, pack: int, norm: bool) -> tuple[nn.Module, nn.Module]:
    """G (N, 256) -> (N, 3, 28, 28), and D of three convolutions from `width` channels on -> (N / pack, 1)."""
    layers = [nn.Linear(Z, 4 * 4 * 64), nn.Unflatten(1, (64, 4, 4)), nn.BatchNorm2d(64), nn.ReLU()]
    for wide, narrow, extra in ((64, 32, 0), (32, 16, 1), (16, 8, 1)):  # 4 -> 7 -> 14 -> 28
        layers += [nn.ConvTranspose2d(wide, narrow, 3, 2, 1, extra), nn.BatchNorm2d(narrow), nn.ReLU()]
    G = nn.Sequential(*layers, nn.Conv2d(8, 3, 3, 1, 1), nn.Tanh())
    layers, before = [], 3 * pack
    for index in range(3):
        layers.append(nn.Conv2d(before, width * 2**index, 3, 2, 1))
        layers += [nn.BatchNorm2d(width * 2**index)] * (norm and index > 0) + [nn.LeakyReLU(0.3)]
        before = width * 2**index
    return G, nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * 16, 1), nn.Flatten(0))


class Trial:
    """One training, resumable: every draw is a function of the seed and the step."""

    def __init__(self, recipe: str, share: str, seed: int, pixels: Tensor) -> None:
        torch.manual_seed(seed)
        self.pack, self.relativistic = RECIPES[recipe]
        self.seed, self.pixels, self.step = seed, pixels, 0
        self.G, self.D = networks(SHARES[share], self.pack, not self.relativistic)
        self.opt_G = torch.optim.Adam(self.G.parameters(), 1e-4, betas=(0.5, 0.99))
        self.opt_D = torch.optim.Adam(self.D.parameters(), 2e-4, betas=(0.5, 0.99))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            draws = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
            self._update(draws)
            self.step += 1

    def _update(self, draws: torch.Generator) -> None:
        real = self._stack(torch.randint(0, len(self.pixels), (BATCH, 3), generator=draws))
        fake = self.G(torch.randn(BATCH, Z, generator=draws))
        both = torch.cat([self._packed(real), self._packed(fake.detach())]).requires_grad_(self.relativistic)
        if self.relativistic:
            logits = self.D(both)
            loss = losses.rpgan_D(*logits.chunk(2)) + losses.gradient_penalty(logits, both, 2 * GAMMA)
        else:  # statistics of real and fake must not mix
            loss = losses.bce_D(*(self.D(part) for part in both.chunk(2)))
        self.opt_D.zero_grad()
        loss.backward()
        self.opt_D.step()
        judged = self.D(self._packed(fake))
        if self.relativistic:
            loss = losses.rpgan_G(self.D(self._packed(real)).detach(), judged)
        else:
            loss = losses.bce_G(judged)
        self.opt_G.zero_grad()
        loss.backward()
        self.opt_G.step()

    def _stack(self, which: Tensor) -> Tensor:
        return self.pixels[which.flatten()].view(BATCH, 3, 28, 28).float() / 127.5 - 1

    def _packed(self, pictures: Tensor) -> Tensor:
        return pictures.reshape(len(pictures) // self.pack, 3 * self.pack, 28, 28)

    @torch.no_grad()
    def kinds(self, reader: digits.Reader) -> tuple[int, float]:
        """How many kinds occur among 25,600 pictures, and the KL divergence of their frequencies to even ones."""
        self.G.eval()
        source, counts = torch.Generator().manual_seed(self.seed), np.zeros(1000)
        for _ in range(SAMPLES // 1024):
            pictures = self.G(torch.randn(1024, Z, generator=source))
            read = digits.read(reader, pictures.reshape(-1, 1, 28, 28))[1].argmax(1).view(-1, 3)
            counts += np.bincount((read @ torch.tensor([100, 10, 1])).numpy(), minlength=1000)
        self.G.train()
        share = counts[counts > 0] / counts.sum()
        return int((counts > 0).sum()), float((share * np.log(share * 1000)).sum())

    def save(self, path: Path) -> None:
        tensors = {f"G.{k}": v for k, v in self.G.state_dict().items()}
        tensors |= {f"D.{k}": v for k, v in self.D.state_dict().items()}
        for name, optimiser in (("G", self.opt_G), ("D", self.opt_D)):
            for index, values in optimiser.state_dict()["state"].items():
                tensors |= {f"adam.{name}.{index}.{key}": value for key, value in values.items()}
        temporary = path.with_suffix(".tmp")
        safetensors.torch.save_file(tensors, temporary, metadata={"step": str(self.step)})
        temporary.replace(path)

    def load(self, path: Path) -> None:
        with safetensors.safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        for name, network, optimiser in (("G", self.G, self.opt_G), ("D", self.D, self.opt_D)):
            network.load_state_dict({k[2:]: v for k, v in tensors.items() if k.startswith(f"{name}.")})
            state = {}
            for key, value in tensors.items():
                if key.startswith(f"adam.{name}."):
                    _, _, index, kind = key.split(".")
                    state.setdefault(int(index), {})[kind] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def run(trial: Trial, stem: Path, steps: int, reader: digits.Reader) -> dict:
    """The result of a trial of that length; made now, or from where it was left, where it is not there yet."""
    result = stem.with_name(f"{stem.name}-{steps}.json")
    if result.is_file():
        return json.loads(result.read_text())
    state = stem.with_suffix(".safetensors")
    if state.is_file():
        trial.load(state)
    if trial.step > steps:
        raise SystemExit(f"{stem.name} is at step {trial.step} already. Ask for as many, or take another OUT.")
    started = time.perf_counter()
    while trial.step < steps:
        trial.train(min(1000, steps - trial.step))
        trial.save(state)
        print(f"  {stem.name}: step {trial.step}, {time.perf_counter() - started:.0f} s", flush=True)
    modes, kl = trial.kinds(reader)
    result.write_text(json.dumps({"modes": modes, "kl": kl}))
    return {"modes": modes, "kl": kl}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=3)
    options = parser.parse_args()
    os.environ["GANART_MNIST"] = str(options.mnist)
    os.environ.setdefault("GANART_HOME", str(options.out))
    from ganart import mnist

    pixels, _ = mnist.load()
    reader = digits.trained(options.out, pixels, digits.labels(options.mnist))
    digits_of_all = torch.from_numpy(pixels[..., 0].copy())
    found: dict[tuple[str, str], list[dict]] = {}
    for seed in range(options.trials):  # all kinds once, then all again
        for share in SHARES:
            for recipe in RECIPES:
                stem = options.out / f"{recipe.replace(' ', '-')}-{share.replace('/', '')}-{seed}".lower()
                trial = Trial(recipe, share, seed, digits_of_all)
                found.setdefault((recipe, share), []).append(run(trial, stem, options.steps, reader))
    print(f"\n| D | recipe | modes after {options.steps:,} steps | KL | published, 500,000 steps: modes, KL |")
    print("|---|---|---|---|---|")
    for (recipe, share), trials in sorted(found.items(), key=lambda item: item[0][1], reverse=True):
        modes, kl = ([trial[key] for trial in trials] for key in ("modes", "kl"))
        spread = f" ± {np.std(modes, ddof=1) / len(modes) ** 0.5:.1f}" if len(modes) > 1 else ""
        told = f"{np.mean(modes):.1f}{spread} | {np.mean(kl):.2f}"
        print(f"| {share} G | {recipe} | {told} | {PUBLISHED.get((recipe, share), '')} |")


if __name__ == "__main__":
    main()
