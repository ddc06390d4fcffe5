"""What a look inside the networks shows is what they really do."""

import numpy as np
import pytest
import torch

from ganart import checkpoint, inside, latent, models
from ganart.config import NetworkConfig
from ganart.networks import Discriminator, Generator


@pytest.mark.parametrize("name", ["mnist-seed", "landscapes"])
def test_the_last_stage_is_the_picture_and_the_logit_is_Ds(name):
    G, D, card = checkpoint.load_networks(models.find_model(name).path)
    z = latent.sample_z([4], card.networks.z_dim)[0]
    stages = inside.generator(G, z)
    with torch.inference_mode():
        picture = G(torch.from_numpy(z[None].copy()))
        logit = float(D(picture.repeat(max(1, D.config.d_stddev) * D.config.pack, 1, 1, 1))[0])
    assert np.array_equal(stages[-1].maps, picture[0].numpy())
    seen, told = inside.discriminator(D, stages[-1].maps)
    assert told == pytest.approx(logit, abs=1e-5)
    assert len(seen) == len(D.convs) and seen[0].maps.shape[1] == card.networks.size // 2


def test_sides_grow_towards_the_picture_and_the_words_say_so():
    networks = NetworkConfig(size=28, channels=1, z_dim=8, width=4)
    stages = inside.generator(Generator(networks).eval(), np.ones(8, np.float32))
    assert [stage.maps.shape[-1] for stage in stages] == [7, 7, 14, 28]
    assert "same side" in stages[1].name and "doubled" in stages[2].name and "picture" in stages[3].name


@pytest.mark.parametrize("upsample", ["nearest", "transposed"])
def test_any_of_the_networks_can_be_opened(upsample):
    networks = NetworkConfig(size=64, channels=3, z_dim=8, width=4, upsample=upsample, d_norm="none")
    G, D = Generator(networks).eval(), Discriminator(networks).eval()
    stages = inside.generator(G, np.ones(8, np.float32))
    assert [stage.maps.shape[-1] for stage in stages] == [4, 8, 16, 32, 64]
    assert all(np.isfinite(stage.maps).all() for stage in inside.discriminator(D, stages[-1].maps)[0])


def test_maps_are_stretched_each_to_its_own_range():
    maps = np.stack([np.linspace(-1, 5, 16).reshape(4, 4), np.full((4, 4), 3.0)]).astype(np.float32)
    shown = inside.as_pictures(maps, 5)
    assert shown.shape == (2, 4, 4, 1) and shown.dtype == np.uint8
    assert (shown[0].min(), shown[0].max()) == (0, 255) and not shown[1].any()
    assert len(inside.as_pictures(maps, 1)) == 1
