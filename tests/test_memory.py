"""The counted memory of a step."""

import dataclasses

import pytest
import torch

from ganart import memory
from ganart.config import NetworkConfig, TrainConfig
from ganart.networks import Discriminator, Generator, parameter_count


def test_the_peak_counts_what_lives_at_once():
    with memory.Peak() as counted:
        a = torch.zeros(1000)  # 4,000 bytes
        b = a + 1
        view = b.view(10, 100)
        assert counted.now == 8000
        del a
        assert counted.now == 4000 and counted.peak == 8000
        c = b * 2
        del b
        assert counted.now == 8000, "a view keeps its memory alive"
        del view, c
        assert counted.now == 0 and counted.peak == 8000


def test_a_step_takes_at_least_its_weights_gradients_and_moments(settings):
    G, D = Generator(settings.networks), Discriminator(settings.networks)
    least = 4 * (5 * parameter_count(G) + 4 * parameter_count(D))  # G also has its average
    assert least < memory.step_bytes(settings) < 100 * least


def test_it_grows_in_proportion_with_the_batch():
    settings = TrainConfig(networks=NetworkConfig(size=32, z_dim=8, width=8), device="cpu")
    sizes = [memory.step_bytes(dataclasses.replace(settings, batch=batch)) for batch in (64, 128, 192)]
    assert sizes[2] - sizes[1] == pytest.approx(sizes[1] - sizes[0], rel=0.05)
    with memory.Peak() as counted:
        from ganart import probe
        from ganart.training import build, train_step

        whole = dataclasses.replace(settings, batch=64)
        state, inputs = build(whole, {}), probe.trial_batch(whole)
        for _ in range(2):
            train_step(state, whole, inputs, "bfloat16")
    assert sizes[0] == pytest.approx(counted.peak, rel=0.1), "what was scaled up from small batches"


def test_penalties_cost_memory(settings):
    networks = dataclasses.replace(settings.networks, d_norm="none")
    plain = dataclasses.replace(settings, networks=networks, loss="rpgan", batch=64)
    assert memory.step_bytes(dataclasses.replace(plain, gamma=1.0)) > 1.1 * memory.step_bytes(plain)
