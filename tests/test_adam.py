"""Adam, and the counting of memory, without what torch loads for its compiler."""

import subprocess
import sys

import pytest
import torch

from ganart.adam import Adam

STEPS = """
import sys, torch
from ganart import memory, ring
from ganart.adam import Adam
from ganart.config import NetworkConfig, TrainConfig
net = torch.nn.Linear(3, 2)
for fused in (True, False):
    optimiser = Adam(net.parameters(), 1e-3, fused=fused)
    for _ in range(2):
        optimiser.zero_grad()
        net(torch.ones(1, 3)).sum().backward()
        optimiser.step()
ring.play("first", 2)
networks = NetworkConfig(size=32, z_dim=8, width=4)
memory.step_bytes(TrainConfig(networks=networks, dataset="", batch=8, device="cpu"))
print(*sorted({"torch._dynamo", "torch._inductor", "sympy"} & sys.modules.keys()))
"""


def test_nothing_of_the_compiler_is_loaded():
    answer = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0 and answer.stdout.strip() == "", (answer.stdout, answer.stderr)


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}, {"capturable": False}])
def test_it_steps_as_torch_does_bit_for_bit(options):
    nets, made = [], []
    for kind in (Adam, torch.optim.Adam):
        torch.manual_seed(0)
        nets.append(torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1)))
        made.append(kind(nets[-1].parameters(), lr=0.01, betas=(0.5, 0.99), **options))
    for step in range(20):
        x = torch.randn(4, 5, generator=torch.Generator().manual_seed(step))
        for net, optimiser in zip(nets, made, strict=True):
            optimiser.zero_grad(set_to_none=step % 2 == 0)
            net(x).square().sum().backward()
            optimiser.step()
            assert torch.is_grad_enabled()
    ours, theirs = (net.state_dict() for net in nets)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert all(not kept["exp_avg"].requires_grad for kept in made[0].state.values())
