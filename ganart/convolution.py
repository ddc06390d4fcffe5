"""The 4x4 convolution with stride 2 and its transpose, the two that a DCGAN is made of.

They are torch's own but for one thing: on a processor, in bfloat16 and on small maps, torch computes the gradient
of the weights at a quarter to a half of the speed of everything around it. There it is taken as one matrix
product over the unfolded map instead.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALL = 8  # side of the larger of both maps, in px, up to which the matrix product is faster


def _weight_gradient(large: Tensor, small: Tensor) -> Tensor:
    """Gradient of the weights (S, L, 4, 4) between a map (N, L, 2h, 2w) and its half (N, S, h, w)."""
    patches = F.pad(large, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)  # (N, L, h, w, 4, 4)
    patches = patches.permute(0, 2, 3, 4, 5, 1).reshape(-1, 16 * large.shape[1])
    gradient = small.permute(0, 2, 3, 1).reshape(-1, small.shape[1]).T @ patches
    return gradient.view(small.shape[1], 4, 4, large.shape[1]).permute(0, 3, 1, 2)


class _Halve(torch.autograd.Function):
    """conv2d; its gradient can be differentiated again in the map (not in the weights' own gradient)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, None, 2, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # torch's type of ctx saves nothing
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return (
            _Double.apply(gradient, weight) if of_x else None,
            _weight_gradient(x, gradient) if of_weight else None,
        )


class _Double(torch.autograd.Function):
    """conv_transpose2d, likewise."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv_transpose2d(x, weight, None, 2, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return (
            _Halve.apply(gradient, weight) if of_x else None,
            _weight_gradient(gradient, x) if of_weight else None,
        )


def _by_matrix_product(x: Tensor, larger_side: int) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16 and larger_side <= SMALL


def _with_bias(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias.to(x.dtype)[:, None, None]


def halve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolution: (N, C, 2h, 2w) -> (N, O, h, w); weight (O, C, 4, 4), bias (O,)."""
    if _by_matrix_product(x, x.shape[2]):
        return _with_bias(_Halve.apply(x, weight.to(x.dtype)), bias)
    return F.conv2d(x, weight, bias, 2, 1)


def double(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Transposed convolution: (N, C, h, w) -> (N, O, 2h, 2w); weight (C, O, 4, 4), bias (O,)."""
    if _by_matrix_product(x, 2 * x.shape[2]):
        return _with_bias(_Double.apply(x.contiguous(memory_format=torch.channels_last), weight.to(x.dtype)), bias)
    return F.conv_transpose2d(x, weight, bias, 2, 1)


class Double(nn.ConvTranspose2d):
    """`double` as a layer."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__(inputs, outputs, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no output_size: it is twice the input's
        return double(x, self.weight, self.bias)
