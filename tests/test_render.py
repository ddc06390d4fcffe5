"""The one place where a generator draws: batches are nobody's business."""

import numpy as np
import pytest
import torch

from ganart import ema, images, latent, render
from ganart.config import NetworkConfig
from ganart.networks import Generator


@pytest.fixture(scope="module", params=[(28, 1), (32, 3)], ids=["grey", "colour"])
def G(request):
    """A generator whose pictures are anything but grey."""
    size, channels = request.param
    torch.manual_seed(0)
    G = Generator(NetworkConfig(size=size, channels=channels, z_dim=8, width=4))
    G = ema.with_own_batchnorm(G, [torch.randn(64, 8)])
    with torch.no_grad():
        G.layers[-2].weight.mul_(4)
    return G


def test_the_pictures_of_these_tests_are_worth_comparing(G):
    found = render.pictures(G, latent.sample_z(list(range(8)), 8)).astype(int)
    assert found.std() > 30
    assert abs(found[0] - found[1]).mean() > 10


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130])
def test_a_picture_does_not_depend_on_what_is_drawn_beside_it(G, count):
    seeds = list(range(count))
    together = render.pictures(G, latent.sample_z(seeds, 8)).astype(int)
    assert together.shape == (count, G.config.size, G.config.size, G.config.channels)
    for seed in {0, count // 2, count - 1}:
        alone = render.pictures(G, latent.sample_z([seed], 8))[0].astype(int)
        assert abs(together[seed] - alone).max() <= 1


def test_batches_are_cut_where_they_should_be(G):
    z = latent.sample_z(list(range(7)), 8)
    parts = list(render.frames(G, z, batch=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert all(part.dtype == np.uint8 for part in parts)
    difference = np.concatenate(parts).astype(int) - render.pictures(G, z)
    assert abs(difference).max() <= 1
    assert [len(part) for part in render.frames(G, z, batch=7)] == [7]


def test_drawing_is_what_the_network_says(G):
    z = latent.sample_z([3], 8)
    with torch.no_grad():
        expected = (G(torch.from_numpy(z)).numpy()[0].transpose(1, 2, 0) + 1) * 127.5
    assert abs(render.pictures(G, z)[0] - expected).max() <= 0.51


def test_nothing_to_draw_is_no_picture(G):
    size, channels = G.config.size, G.config.channels
    found = render.pictures(G, np.zeros((0, 8), np.float32))
    assert found.shape == (0, size, size, channels) and found.dtype == np.uint8


def test_frames_come_as_they_are_drawn(G):
    """A film can show progress and stop: nothing is drawn before it is asked for."""
    calls = []
    hook = G.register_forward_hook(lambda *_: calls.append(1))
    drawing = render.frames(G, latent.sample_z(list(range(6)), 8), batch=2)
    next(drawing)
    hook.remove()
    assert len(calls) == 1


def test_a_sheet_is_the_pictures_row_by_row(G):
    z = latent.sample_z(list(range(5)), 8)
    np.testing.assert_array_equal(render.sheet(G, z, columns=3), images.tile(render.pictures(G, z), 3))
    assert render.sheet(G, z, columns=3).shape == (2 * G.config.size, 3 * G.config.size, G.config.channels)
