"""What paints the frames of a film: a model as it is, a model as it grew, or the sheets of its training.

moments: (N,) in [0, 1], from the beginning of the film to its end; for what grows, from the beginning of the
training to its end.
"""

import functools

import numpy as np
import torch

from ganart import card, checkpoint, directions, disk, images, render
from ganart.card import Card
from ganart.errors import InputError
from ganart.filmconfig import FilmConfig
from ganart.models import Model
from ganart.networks import Generator


class Still:
    """A model as it is."""

    def __init__(self, G: Generator) -> None:
        self.G, self.size, self.z_dim = G, G.config.size, G.config.z_dim

    def now(self, z: np.ndarray) -> np.ndarray:
        """z (N, z_dim) -> uint8 (N, H, W, C), as the model paints at the end."""
        return render.pictures(self.G, z)

    def at(self, z: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """z (N, z_dim), each painted at its moment -> uint8 (N, H, W, C)."""
        return self.now(z)

    def directions(self, kind: str) -> np.ndarray:
        """The first directions of a kind, (count, z_dim)."""
        return directions.KINDS[kind](self.G, min(12, self.z_dim))


class Growing(Still):
    """A model as it grew: between two checkpoints of its run, their weights are mixed, so that the pictures change
    from frame to frame and not in jumps. Checkpoints lie closer in the beginning, where more happens."""

    def __init__(self, model: Model) -> None:
        kept = model.run.checkpoints() if model.run else {}
        if len(kept) < 2:
            raise InputError(
                f"{model.id} has {disk.counted(len(kept), 'checkpoint')} of its training here, and this film "
                "needs two or more. Take the film of its sheets, or a run of your own."
            )
        self.paths = list(kept.values())
        if model.run and model.run.model.is_file() and card.read_card(model.run.model).step > max(kept):
            self.paths.append(model.run.model)  # what it has come to since
        super().__init__(checkpoint.load_generator(model.path)[0])
        self.mixed = Generator(self.G.config).eval()
        self._weights = functools.lru_cache(maxsize=3)(self._load)

    def _load(self, index: int) -> dict[str, torch.Tensor]:
        there = [near for near, path in enumerate(self.paths) if path.is_file()]  # a run at work thins them
        nearest = min(there, key=lambda near: abs(near - index), default=index)
        G, _ = checkpoint.load_generator(self.paths[nearest])
        return G.state_dict()

    def at(self, z: np.ndarray, moments: np.ndarray) -> np.ndarray:
        found = np.empty((len(z), *(self.size, self.size, self.G.config.channels)), np.uint8)
        for moment in np.unique(moments):
            found[moments == moment] = render.pictures(self._grown(float(moment)), z[moments == moment])
        return found

    def _grown(self, moment: float) -> Generator:
        place = moment * (len(self.paths) - 1)
        index = min(int(place), len(self.paths) - 2)
        young, old = self._weights(index), self._weights(index + 1)
        share = place - index
        mixed = {
            name: torch.lerp(value, old[name], share) if value.is_floating_point() else value
            for name, value in young.items()
        }
        self.mixed.load_state_dict(mixed)
        return self.mixed


class Sheets:
    """The sheets of a training, as they were painted then."""

    def __init__(self, model: Model) -> None:
        kept = model.sheets()
        if len(kept) < 2:
            raise InputError(
                f"{model.id} has {len(kept)} training sheets, and a film needs two or more. Train on."
            )
        self.kept = [data for _, data in kept]
        self.read = functools.lru_cache(maxsize=4)(lambda index: images.read_png(self.kept[index]))
        self.shape = self.read(0).shape[:2]
        self.size = max(self.shape)

    def sheet(self, moment: float) -> np.ndarray:
        """The sheet of a moment, uint8 (H, W, C)."""
        return self.read(min(int(moment * len(self.kept)), len(self.kept) - 1))


def painter(model: Model, film: FilmConfig) -> tuple[Still | Growing | Sheets, Card]:
    """What paints this film, and the model's card. Raises InputError where the model cannot, ModelError."""
    G, card = checkpoint.load_generator(model.path)
    if film.path == "sheets":
        return Sheets(model), card
    return (Growing(model) if film.path == "growth" else Still(G)), card
