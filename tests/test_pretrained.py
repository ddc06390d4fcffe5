"""The models that come with the program: small enough, each with its card, its loop and its sheets."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganart import card, checkpoint, evaluation, latent, models, render, workspace

MIB = 2**20
NAMES = [model.id for model in models.pretrained()]


def test_there_are_several_and_together_they_are_small():
    assert {"mnist-seed", "mnist-best", "landscapes", "portraits"} <= set(NAMES)
    files = [path.stat().st_size for path in workspace.pretrained_folder().glob("*.safetensors")]
    assert max(files) <= 16 * MIB and sum(files) <= 80 * MIB


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_card_with_words_and_figures_beside_their_floors(name):
    model = models.find_model(name)
    told = model.card()
    assert told.name == name and card.has_D(model.path)
    for part in ("**What it does.**", "**How it was made.**", "**What it learned from.**", "**How good it is**"):
        assert part in told.about
    figures = evaluation.figures(told.figures)
    assert list(figures) == list(evaluation.METRICS) and all(figure.n >= 16 for figure in figures.values())
    assert told.about in model.path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_each_comes_with_a_loop_and_the_sheets_of_its_training(name):
    model = models.find_model(name)
    with Image.open(model.path.with_name(f"{name}-loop.webp")) as film:
        frames = [np.asarray(frame.convert("L"), float) for frame in ImageSequence.Iterator(film)]
    assert len(frames) >= 20
    apart = np.abs(frames[0] - frames[len(frames) // 2]).mean()
    assert np.abs(frames[0] - frames[-1]).mean() < 0.5 * apart, "it does not close"
    sheets = model.sheets()
    assert len(sheets) >= 5 and sheets[0][0] < sheets[-1][0] <= model.card().step


@pytest.mark.parametrize("name", NAMES)
def test_each_paints_many_different_pictures(name):
    G, _ = checkpoint.load_generator(models.find_model(name).path)
    pictures = render.pictures(G, latent.sample_z(list(range(16)), G.config.z_dim)).astype(float)
    apart = np.abs(pictures[:, None] - pictures).mean((2, 3, 4))[np.triu_indices(16, 1)]
    assert apart.min() > 5 and pictures.std() > 20
