"""The two convolutions of a DCGAN against torch's own, in value and in the first and second derivatives."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganart.config import NetworkConfig
from ganart.convolution import SMALL, Double, _Double, _Halve, _weight_gradient, double, halve
from ganart.networks import Discriminator, Generator

ROUNDING = 2**-8  # half of bfloat16's last bit, relative to a value


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def whole(*shape: int, seed: int = 0) -> Tensor:
    """Small whole numbers in float64, of which every sum is exact in any order."""
    return torch.randint(-8, 9, shape, generator=torch.Generator().manual_seed(seed)).double()


def theirs(name: str):
    """torch's convolution of the same kind, with stride 2 and padding 1."""
    own = {"halve": F.conv2d, "double": F.conv_transpose2d}[name]
    return lambda x, weight, bias=None: own(x, weight, bias, 2, 1)


OURS = {"halve": halve, "double": double}
FUNCTIONS = {"halve": _Halve, "double": _Double}


def case(name: str, larger: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """(x, weight, bias): 5 channels to 6, the larger of both maps `larger` px wide."""
    shape, side = ((6, 5, 4, 4), larger) if name == "halve" else ((5, 6, 4, 4), larger // 2)
    return (
        normal(4, 5, side, side, seed=1, dtype=dtype),
        normal(*shape, seed=2, dtype=dtype),
        normal(6, seed=3, dtype=dtype),
    )


def with_gradients(function, tensors: tuple[Tensor | None, ...]) -> list[Tensor]:
    """The result, and the gradients of its product with fixed numbers in each of the tensors."""
    leaves = [t if t is None else t.detach().clone().requires_grad_() for t in tensors]
    result = function(*leaves)
    slopes = normal(*result.shape, seed=9, dtype=torch.bfloat16).to(result.dtype)
    return [result.detach(), *torch.autograd.grad(result, [t for t in leaves if t is not None], slopes)]


@functools.cache
def coarseness() -> float:
    """How many roundings torch's own convolutions take at most here, 1 at least: where the processor has no
    instructions for bfloat16, they round sums on the way as well."""
    worst = 1.0
    for name in OURS:
        x, weight, _ = case(name, 16, torch.bfloat16)
        own, exact = theirs(name)(x, weight).float(), theirs(name)(x.float(), weight.float())
        size = exact.square().mean().sqrt()
        worst = max(worst, ((own - exact).abs() / (ROUNDING * (exact.abs() + size))).max().item())
    return worst


def assert_near(found: Tensor, exact: Tensor, roundings: float) -> None:
    """Within so many roundings of its values and of their usual size, where each is as coarse as torch's own."""
    size = exact.square().mean().sqrt().item()
    share = roundings * coarseness() * ROUNDING
    torch.testing.assert_close(found.float(), exact, rtol=share, atol=share * max(size, 1e-6))


def went_by_matrix_product(result: Tensor) -> bool:
    names, waiting = set(), [result.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            names.add(type(node).__name__)
            waiting += [following for following, _ in node.next_functions]
    return bool(names & {"_HalveBackward", "_DoubleBackward"})


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("larger", [2, 4, 8])
@pytest.mark.parametrize("name", OURS)
def test_small_maps_in_half_precision_are_right_but_for_rounding(name, larger, biased):
    x, weight, bias = case(name, larger, torch.bfloat16)
    tensors = (x, weight, bias if biased else None)
    found = with_gradients(OURS[name], tensors)
    exact = with_gradients(theirs(name), tuple(t if t is None else t.float() for t in tensors))
    assert len(found) == (4 if biased else 3)
    for ours, reference in zip(found, exact, strict=True):
        assert ours.dtype == torch.bfloat16 and ours.shape == reference.shape
        assert_near(ours, reference, 2)  # rounded once behind the convolution and once behind the bias
    assert went_by_matrix_product(OURS[name](x.clone().requires_grad_(), weight, bias))


@pytest.mark.parametrize("name", OURS)
def test_weights_kept_in_full_precision_get_their_gradient_in_full_precision(name):
    x, weight, bias = case(name, SMALL, torch.bfloat16)
    found = with_gradients(lambda w, b: OURS[name](x, w, b), (weight.float(), bias.float()))
    exact = with_gradients(lambda w, b: theirs(name)(x.float(), w, b), (weight.float(), bias.float()))
    assert [t.dtype for t in found] == [torch.bfloat16, torch.float32, torch.float32]
    for ours, reference in zip(found, exact, strict=True):
        assert_near(ours, reference, 2)


@pytest.mark.parametrize(
    ("larger", "dtype"), [(2, torch.float32), (8, torch.float32), (8, torch.float64), (16, torch.bfloat16)]
)
@pytest.mark.parametrize("name", OURS)
def test_everything_else_is_torchs_own_to_the_bit(name, larger, dtype):
    tensors = case(name, larger, dtype)
    for ours, reference in zip(
        with_gradients(OURS[name], tensors), with_gradients(theirs(name), tensors), strict=True
    ):
        assert torch.equal(ours, reference)
    x, weight, bias = tensors
    assert not went_by_matrix_product(OURS[name](x.requires_grad_(), weight, bias))


@pytest.mark.parametrize("name", OURS)
def test_the_order_in_memory_changes_nothing(name):
    x, weight, bias = case(name, SMALL, torch.bfloat16)
    one = with_gradients(OURS[name], (x, weight, bias))
    turned = with_gradients(
        lambda x, w, b: OURS[name](x.contiguous(memory_format=torch.channels_last), w, b), (x, weight, bias)
    )
    for a, b in zip(one, turned, strict=True):
        assert_near(a, b.float(), 1)


@pytest.mark.parametrize(("side", "count"), [(1, 3), (2, 1), (4, 2)])
def test_the_gradient_of_the_weights_is_exact(side, count):
    large, small = whole(count, 5, 2 * side, 2 * side), whole(count, 6, side, side, seed=1)
    found = _weight_gradient(large, small)
    assert found.shape == (6, 5, 4, 4)
    assert torch.equal(found, torch.nn.grad.conv2d_weight(large, (6, 5, 4, 4), small, 2, 1))
    weight = whole(6, 5, 4, 4, seed=2).requires_grad_()
    (of_double,) = torch.autograd.grad(F.conv_transpose2d(small, weight, None, 2, 1), weight, large)
    assert torch.equal(found, of_double), "and the same for the transpose, with the maps' parts exchanged"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_exact_in_value_and_gradients(name):
    x, weight, _ = (whole(*t.shape, seed=seed) for seed, t in enumerate(case(name, 4)))
    found = with_gradients(FUNCTIONS[name].apply, (x, weight))
    exact = with_gradients(theirs(name), (x, weight))
    assert torch.equal(found[0], exact[0])
    for ours, reference in zip(found[1:], exact[1:], strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_in_the_map_agree_with_differences(name):
    x, weight, _ = case(name, 4, torch.float64)
    x.requires_grad_()

    def cubed(x: Tensor) -> Tensor:
        return FUNCTIONS[name].apply(x, weight).pow(3).sum()

    assert torch.autograd.gradcheck(lambda x: FUNCTIONS[name].apply(x, weight), x)
    assert torch.autograd.gradgradcheck(lambda x: FUNCTIONS[name].apply(x, weight), x)
    assert torch.autograd.gradgradcheck(cubed, x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_gradient_penalty_teaches_the_weights_the_same(name):
    """The squared norm of a critic's gradient in the map, differentiated in the weights of two layers."""
    x, weight, _ = case(name, 4, torch.float64)
    over = normal(6, 6, 4, 4, seed=5, dtype=torch.float64)
    following = "double" if name == "halve" else "halve"  # back to the size of the beginning

    def penalty_gradients(first, second) -> list[Tensor]:
        leaves = [t.clone().requires_grad_() for t in (x, weight, over)]
        logits = second(torch.tanh(first(leaves[0], leaves[1])), leaves[2]).pow(2).sum()
        (gradient,) = torch.autograd.grad(logits, leaves[0], create_graph=True)
        penalty = gradient.square().sum()
        return [penalty, *torch.autograd.grad(penalty, leaves)]

    found = penalty_gradients(FUNCTIONS[name].apply, FUNCTIONS[following].apply)
    exact = penalty_gradients(theirs(name), theirs(following))
    for ours, reference in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_gradient_is_computed_that_nobody_asked_for(name):
    x, weight, _ = case(name, 4, torch.float64)
    frozen = FUNCTIONS[name].apply(x.requires_grad_(), weight)
    frozen.sum().backward()
    assert weight.grad is None and x.grad is not None
    x = x.detach()
    FUNCTIONS[name].apply(x, weight.requires_grad_()).sum().backward()
    assert x.grad is None and weight.grad is not None


@pytest.mark.parametrize("larger", [4, 8, 16])
@pytest.mark.parametrize("of_x", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", OURS)
def test_it_works_under_autocast(name, of_x, larger):
    """Maps may come in full or in half precision; weights stay in full."""
    x, weight, bias = case(name, larger, torch.bfloat16)
    tensors = (x.to(of_x), weight.float(), bias.float())
    leaves = [t.clone().requires_grad_() for t in tensors]
    with torch.autocast("cpu", torch.bfloat16):
        result = OURS[name](*leaves)
    assert result.dtype == torch.bfloat16
    slopes = normal(*result.shape, seed=9, dtype=torch.bfloat16)
    gradients = torch.autograd.grad(result, leaves, slopes)
    assert [g.dtype for g in gradients] == [t.dtype for t in tensors]
    exact = with_gradients(theirs(name), tuple(t.float() for t in tensors))
    for ours, reference in zip([result.detach(), *gradients], exact, strict=True):
        assert_near(ours, reference, 2)


def test_the_layer_has_the_weights_of_torchs_layer():
    for bias in (True, False):
        ours, own = Double(5, 6, bias=bias), nn.ConvTranspose2d(5, 6, 4, 2, 1, bias=bias)
        assert list(ours.state_dict()) == list(own.state_dict())
        ours.load_state_dict(own.state_dict())
        x = normal(2, 5, 4, 4)
        assert torch.equal(ours(x), own(x))
        half = ours.bfloat16()(x.bfloat16())
        assert_near(half, own.bfloat16().float()(x.bfloat16().float()), 2)


def test_networks_in_half_precision_learn_what_they_learn_in_full():
    """G's and D's gradients under autocast point where those in float32 do."""
    torch.manual_seed(0)
    config = NetworkConfig(size=32, channels=3, z_dim=8, width=8, g_norm="none", d_norm="none")
    G, D, z = Generator(config), Discriminator(config), torch.randn(8, 8)
    gradients = []
    for half in (False, True):
        G.zero_grad(), D.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = D(G(z))
        F.softplus(-logits.float()).mean().backward()
        gradients.append([p.grad.clone().flatten() for network in (G, D) for p in network.parameters()])
    for full, half in zip(*gradients, strict=True):
        assert F.cosine_similarity(full, half, dim=0) > 0.99
