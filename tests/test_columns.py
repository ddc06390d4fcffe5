"""Convolutions taken apart by hand, against torch's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganart import columns
from ganart.errors import InputError

PICTURE = np.array([[1, 2, 3], [6, 5, 3], [1, 4, 1]])
SETTINGS = [(side, stride, padding) for side in (1, 2, 3, 4) for stride in (1, 2, 3) for padding in (0, 1, 2)]


def by_torch(function, picture, kernel, stride, padding):
    tensors = [torch.from_numpy(some)[None, None].double() for some in (picture, kernel)]
    return function(*tensors, stride=stride, padding=padding)[0, 0].numpy()


@pytest.mark.parametrize(("side", "stride", "padding"), SETTINGS)
@pytest.mark.parametrize(
    ("ours", "theirs"), [(columns.convolve, F.conv2d), (columns.transpose, F.conv_transpose2d)], ids=["to", "fro"]
)
@pytest.mark.parametrize("shape", [(3, 3), (4, 5)])
def test_the_result_is_that_of_torch_and_the_sum_of_its_terms(ours, theirs, shape, side, stride, padding):
    rng = np.random.default_rng(side)
    picture, kernel = PICTURE if shape == (3, 3) else rng.normal(size=shape), rng.normal(size=(side, side))
    try:
        taken = ours(picture, kernel, stride, padding)
    except InputError:
        with pytest.raises(RuntimeError):
            by_torch(theirs, picture, kernel, stride, padding)
        return
    np.testing.assert_allclose(taken.result, by_torch(theirs, picture, kernel, stride, padding), atol=1e-12)
    values = np.append(picture.ravel(), 0.0)  # -1, in the padding, is 0
    for place, (terms, cells) in enumerate(zip(taken.terms, taken.cells, strict=True)):
        total = sum(values[source] * kernel.ravel()[by] for source, by in terms)
        assert np.isclose(total, taken.result.ravel()[place])
        for (source, by), cell in zip(terms, cells, strict=True):
            entry = taken.columns[cell]
            assert np.isclose(entry, values[source] * (kernel.ravel()[by] if ours is columns.transpose else 1))


def test_the_transposed_one_is_the_matrix_turned_over():
    """<convolve(a), b> = <a, transpose(b)> for all a and b: the definition of a transpose."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(4, 4))
    a, b = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    forward, back = columns.convolve(a, kernel, 2, 1).result, columns.transpose(b, kernel, 2, 1).result
    assert forward.shape == b.shape and back.shape == a.shape
    assert np.isclose((forward * b).sum(), (a * back).sum())


@pytest.mark.parametrize(("stride", "padding"), [(0, 0), (1, -1)])
def test_strides_and_paddings_that_are_none_are_refused(stride, padding):
    for act in (columns.convolve, columns.transpose):
        with pytest.raises(InputError, match="Strides begin at 1"):
            act(PICTURE, np.ones((2, 2)), stride, padding)


def test_a_kernel_that_does_not_fit_and_a_result_that_is_gone_are_told():
    with pytest.raises(InputError, match="larger than the picture"):
        columns.convolve(PICTURE, np.ones((4, 4)))
    with pytest.raises(InputError, match="nothing of the result"):
        columns.transpose(PICTURE[:1, :1], np.ones((2, 2)), 1, 1)
