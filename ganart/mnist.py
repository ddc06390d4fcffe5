"""The 70,000 handwritten digits of MNIST, from their four idx files."""

import gzip
import os
import ssl
import zlib
from pathlib import Path

import certifi
import numpy as np

from ganart import workspace
from ganart.errors import DatasetError

TRAINING = 60_000
FILES = ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"]


def load() -> tuple[np.ndarray, list[str]]:
    """All digits, uint8 (70000, 28, 28, 1), training first, and the names of the files they came from.

    The files lie in the folder that GANART_MNIST names, gzipped or not; without it torchvision downloads them.
    Raises DatasetError where they are missing, damaged or cannot be downloaded.
    """
    folder = Path(os.environ["GANART_MNIST"]).expanduser() if os.environ.get("GANART_MNIST") else _download()
    digits = np.concatenate([read_images(folder, name) for name in FILES])
    if digits.shape != (TRAINING + 10_000, 28, 28, 1):
        raise DatasetError(f"The MNIST files hold {digits.shape[0]} pictures instead of 70,000. Copy them again.")
    return digits, FILES


def read_images(folder: Path, name: str) -> np.ndarray:
    """One idx file of pictures -> uint8 (N, 28, 28, 1). The format: yann.lecun.com/exdb/mnist."""
    for path, opener in ((folder / name, Path.open), (folder / f"{name}.gz", gzip.open)):
        if path.is_file():
            try:
                with opener(path, "rb") as file:
                    data = file.read()
                magic, count, height, width = np.frombuffer(data, ">i4", 4)
                pixels = np.frombuffer(data, np.uint8, offset=16)
                if magic != 2051 or (height, width) != (28, 28) or pixels.size != count * 784:
                    raise ValueError("not an idx file of 28x28 pictures")
                return pixels.reshape(-1, 28, 28, 1)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise DatasetError(f"{path.name} is damaged. Copy the MNIST files again.") from error
    raise DatasetError(
        f"There is no {name} (or {name}.gz) there. GANART_MNIST must name the folder with the idx files."
    )


def _download() -> Path:
    from torchvision.datasets import MNIST  # knows the mirrors and the checksums

    if not ssl.create_default_context().get_ca_certs():  # a Python from python.org on a Mac knows none
        os.environ.setdefault("SSL_CERT_FILE", certifi.where())
    target = workspace.home() / "downloads"
    try:
        MNIST(target, train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DatasetError(
            "MNIST could not be downloaded. Connect to the internet, or set GANART_MNIST to a folder with its "
            "idx files."
        ) from error
    return target / "MNIST" / "raw"
