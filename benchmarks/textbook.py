"""The DCGAN recipe as tutorials write it, to measure against: `python -m benchmarks.textbook FOLDER`.

Plain PyTorch: ImageFolder and a DataLoader whose workers resize every picture in every epoch, float32, sigmoid
and BCELoss, `.item()` and a printed line at every step. The networks (BatchNorm in both), the loss and the batch
are those that ganart's engine is given, too, when the two are compared.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

SIZE, WIDTH, Z_DIM, BATCH, WORKERS = 64, 64, 128, 64, 2


def networks(width: int = WIDTH, z_dim: int = Z_DIM) -> tuple[nn.Module, nn.Module]:
    """G and D for 64 px in colour, with the tutorials' N(0, 0.02) weights."""
    w = width
    G = nn.Sequential(
        nn.ConvTranspose2d(z_dim, w * 8, 4, 1, 0, bias=False),
        nn.BatchNorm2d(w * 8),
        nn.ReLU(True),
        nn.ConvTranspose2d(w * 8, w * 4, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w * 4),
        nn.ReLU(True),
        nn.ConvTranspose2d(w * 4, w * 2, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w * 2),
        nn.ReLU(True),
        nn.ConvTranspose2d(w * 2, w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w),
        nn.ReLU(True),
        nn.ConvTranspose2d(w, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    D = nn.Sequential(
        nn.Conv2d(3, w, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(w, w * 2, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w * 2),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(w * 2, w * 4, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w * 4),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(w * 4, w * 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w * 8),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(w * 8, 1, 4, 1, 0, bias=False),
        nn.Sigmoid(),
    )
    for module in (*G.modules(), *D.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
    return G, D


def train(
    folder: Path,
    steps: int,
    workers: int = WORKERS,
    warm_up: int = 2,
    batch: int = BATCH,
    width: int = WIDTH,
    look: Callable[[nn.Module, int], bool] | None = None,
) -> float:
    """Train for `steps` steps on an ImageFolder -> pictures a second, the first `warm_up` steps left out.

    look(G, step), called after each step, ends it by returning True.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    transform = transforms.Compose(
        [
            transforms.Resize(SIZE),
            transforms.CenterCrop(SIZE),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    data = datasets.ImageFolder(str(folder), transform=transform)
    loader = DataLoader(data, batch_size=batch, shuffle=True, num_workers=workers, drop_last=True)
    G, D = networks(width)
    G.to(device)
    D.to(device)
    criterion = nn.BCELoss()
    opt_D = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    opt_G = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    step, started = 0, 0.0
    while True:
        for real, _ in loader:
            if step == warm_up:
                started = time.perf_counter()
            if step == warm_up + steps:
                return steps * batch / (time.perf_counter() - started)
            D.zero_grad()
            real = real.to(device)
            ones, zeros = torch.ones(batch, device=device), torch.zeros(batch, device=device)
            output = D(real).view(-1)
            loss_real = criterion(output, ones)
            loss_real.backward()
            D_x = output.mean().item()
            fake = G(torch.randn(batch, Z_DIM, 1, 1, device=device))
            output = D(fake.detach()).view(-1)
            loss_fake = criterion(output, zeros)
            loss_fake.backward()
            D_G_z1 = output.mean().item()
            opt_D.step()
            G.zero_grad()
            output = D(fake).view(-1)
            loss_G = criterion(output, ones)
            loss_G.backward()
            D_G_z2 = output.mean().item()
            opt_G.step()
            step += 1
            loss_D = (loss_real + loss_fake).item()
            print(
                f"[{step}] Loss_D: {loss_D:.4f} Loss_G: {loss_G.item():.4f} "
                f"D(x): {D_x:.4f} D(G(z)): {D_G_z1:.4f} / {D_G_z2:.4f}",
                flush=True,
            )
            if look and look(G, step):
                return step * batch / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures in at least one subfolder, as ImageFolder wants them")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, default=WORKERS)
    options = parser.parse_args()
    print("images_per_second", train(options.folder, options.steps, options.workers))


if __name__ == "__main__":
    main()
