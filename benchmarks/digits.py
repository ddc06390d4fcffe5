"""A reader of digits, trained here, that `mnist` and `stacked_mnist` judge with.

The convolutional network of Keras' MNIST example (two 3x3 convolutions of 32 and 64, a dense layer of 128), which
is what the published protocols use, with shifts of up to two pixels in training. It has to read 99.2 % of the test
digits.
"""

import gzip
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 0.992
EPOCHS, BATCH = 8, 128


class Reader(nn.Module):
    """Digits (N, 1, 28, 28) in [-1, 1] -> logits of the ten classes (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dense, self.last = nn.Linear(64 * 12 * 12, 128), nn.Linear(128, 10)

    def features(self, x: Tensor) -> Tensor:
        """The layer before the last, (N, 128)."""
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return F.relu(self.dense(F.dropout(x, 0.25, self.training).flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.dropout(self.features(x), 0.5, self.training))


def labels(folder: Path) -> np.ndarray:
    """The classes of the 70,000 digits, training ones first."""
    parts = []
    for name in ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        parts.append(np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=8))
    return np.concatenate(parts)


def floats(digits: np.ndarray) -> Tensor:
    """uint8 (N, 28, 28, 1) -> (N, 1, 28, 28) in [-1, 1]."""
    return torch.from_numpy(np.array(digits)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def read(reader: Reader, digits: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 128) and class probabilities (N, 10)."""
    features = torch.cat([reader.features(part) for part in digits.split(1000)])
    return features, reader.last(features).softmax(1)


def accuracy(reader: Reader, digits: Tensor, classes: Tensor) -> float:
    return (read(reader, digits)[1].argmax(1) == classes).double().mean().item()


def trained(out: Path, digits: np.ndarray, classes: np.ndarray) -> Reader:
    """The reader that `out` holds, or trained now and put there; its accuracy is checked in any case."""
    path, reader = out / "reader.safetensors", Reader()
    if path.is_file():
        safetensors.torch.load_model(reader, path)
    else:
        _train(reader, floats(digits[:60_000]), torch.from_numpy(classes[:60_000].astype(np.int64)))
        out.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_model(reader, str(path))
    reader.eval()
    found = accuracy(reader, floats(digits[60_000:]), torch.from_numpy(classes[60_000:].astype(np.int64)))
    print(f"the reader reads {100 * found:.2f} % of the 10,000 test digits", flush=True)
    if found < LEAST:
        raise SystemExit(f"That is under {100 * LEAST:.1f} %, too little to judge with.")
    return reader


def _train(reader: Reader, digits: Tensor, classes: Tensor) -> None:
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(reader.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=EPOCHS * (len(digits) // BATCH))
    for epoch in range(EPOCHS):
        for some in torch.randperm(len(digits))[: len(digits) // BATCH * BATCH].split(BATCH):
            rows, columns = torch.randint(0, 5, (2,)).tolist()
            shifted = F.pad(digits[some], (2, 2, 2, 2), value=-1.0)[..., rows : rows + 28, columns : columns + 28]
            loss = F.cross_entropy(reader(shifted), classes[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"the reader learns: epoch {epoch + 1} of {EPOCHS}, loss {loss.item():.4f}", flush=True)
