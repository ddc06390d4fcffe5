"""Directions found in G itself: orthonormal, the same every time, and what they promise to change."""

import threading

import numpy as np
import pytest
import torch

from ganart import directions, latent, render
from ganart.config import NetworkConfig
from ganart.errors import ModelError
from ganart.networks import Generator

KINDS = [directions.sefa, directions.ganspace]
FORMS = [
    NetworkConfig(size=32, channels=3, z_dim=24, width=8),
    NetworkConfig(size=28, channels=1, z_dim=24, width=8),
    NetworkConfig(size=32, channels=3, z_dim=24, width=8, g_norm="none", upsample="nearest"),
]


def lively(form: NetworkConfig) -> Generator:
    """A generator that heeds its input, and some parts of it more than others."""
    torch.manual_seed(0)
    G = Generator(form)
    with torch.no_grad():
        for parameter in G.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.5 / parameter[0].numel() ** 0.5)
        G.dense.weight.mul_(torch.linspace(2, 0.1, form.z_dim))
        G.train()(torch.randn(256, form.z_dim))  # its statistics are those of its activations
    return G.eval().requires_grad_(False)


@pytest.mark.parametrize("form", FORMS, ids=["family", "article", "nearest"])
@pytest.mark.parametrize("find", KINDS)
def test_they_are_orthonormal_and_the_same_every_time(find, form):
    G = lively(form)
    found = find(G, 10)
    assert found.shape == (10, 24) and found.dtype == np.float32
    np.testing.assert_allclose(found @ found.T, np.eye(10), atol=1e-5)
    np.testing.assert_array_equal(found, find(G, 10))
    assert (found.max(1) >= np.abs(found).max(1)).all(), "signs are not settled"
    np.testing.assert_allclose(find(G, 3), found[:3], atol=1e-4)


@pytest.mark.parametrize("form", FORMS, ids=["family", "article", "nearest"])
def test_sefa_are_the_singular_vectors_of_the_first_layer_as_it_is_seen(form):
    """Independently: the Jacobian of the layer and its BatchNorm, by differentiation."""
    G = lively(form)

    def first(z: torch.Tensor) -> torch.Tensor:
        x = G.dense(z[None])
        if isinstance(G.dense_norm, torch.nn.BatchNorm2d):
            x = x.view(1, -1, G.side, G.side)
        return G.dense_norm(x).flatten()

    jacobian = torch.autograd.functional.jacobian(first, torch.zeros(form.z_dim))
    _, values, expected = np.linalg.svd(jacobian.double().numpy(), full_matrices=False)
    found = directions.sefa(G, 6)
    assert (values[:6] / values[1:7] > 1.001).all(), "with equal singular values the vectors are any"
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", found, expected[:6])), 1, atol=1e-3)


def test_ganspace_finds_the_one_direction_that_is_active():
    """Where all but one part of the input is nearly ignored, that part is the first component."""
    G = lively(FORMS[0])
    with torch.no_grad():
        G.dense.weight[:, :5] *= 0.01
        G.dense.weight[:, 6:] *= 0.01
        G.train()(torch.randn(256, 24))
    first = directions.ganspace(G.eval(), 1)[0]
    assert np.abs(first).argmax() == 5 and np.abs(first[5]) > 0.98


@pytest.mark.parametrize("form", FORMS, ids=["family", "article", "nearest"])
@pytest.mark.parametrize("find", KINDS)
def test_moving_along_the_first_changes_more_than_along_the_last(find, form):
    G = lively(form)
    found = find(G, form.z_dim)
    z = latent.sample_z(list(range(32)), form.z_dim)

    def change(direction: np.ndarray) -> float:
        ways = [directions.move(z, direction[None], np.full((32, 1), amount)) for amount in (-2, 2)]
        return float(np.abs(render.pictures(G, ways[0]).astype(float) - render.pictures(G, ways[1])).mean())

    assert change(found[0]) > 2 * change(found[-1])


def overflowing() -> Generator:
    """Its weights are finite, and what it computes with them is not."""
    G = lively(FORMS[0])
    with torch.no_grad():
        for layer in G.layers:
            if hasattr(layer, "weight"):
                layer.weight.fill_(1e38)
    return G


def test_a_model_that_computes_with_what_is_no_number_is_told():
    with pytest.raises(ModelError, match="run over, so no directions"):
        directions.ganspace(overflowing(), 4)
    assert np.isfinite(directions.sefa(overflowing(), 4)).all()


def test_a_move_adds_the_directions_by_their_amounts():
    z = np.arange(4, dtype=np.float32)
    rows = np.eye(4, dtype=np.float32)[:2]
    np.testing.assert_array_equal(directions.move(z, rows, [1.5, -2]), [1.5, -1, 2, 3])
    np.testing.assert_array_equal(directions.move(z, rows, [0, 0]), z)
    assert directions.move(np.stack([z, z]), rows, np.ones((2, 2))).shape == (2, 4)


def test_a_strip_goes_from_minus_to_plus_through_the_middle_and_changes_nothing_else():
    rng = np.random.default_rng(0)
    direction = rng.normal(size=6)
    direction /= np.linalg.norm(direction)
    z = rng.normal(size=6).astype(np.float32)
    found = directions.strip(z, direction, reach=2.0, count=5)
    np.testing.assert_allclose(found @ direction, [-2, -1, 0, 1, 2], atol=1e-5)
    across = found - np.outer(found @ direction, direction)
    np.testing.assert_allclose(across, np.tile(across[0], (5, 1)), atol=1e-5)
    np.testing.assert_allclose(found[2], z - (z @ direction) * direction, atol=1e-5)


@pytest.mark.parametrize("form", FORMS, ids=["family", "article", "nearest"])
def test_they_are_the_same_while_others_paint(form):
    """The pages' G is one for all, and a hand on the pad paints with it meanwhile."""
    G = lively(form)
    expected, ended = directions.ganspace(G, 4), threading.Event()

    def paint() -> None:
        while not ended.is_set():
            render.pictures(G, latent.sample_z([1], form.z_dim))

    painter = threading.Thread(target=paint)
    painter.start()
    try:
        for _ in range(5):
            np.testing.assert_array_equal(directions.ganspace(G, 4), expected)
    finally:
        ended.set()
        painter.join()
