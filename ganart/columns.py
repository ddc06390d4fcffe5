"""A convolution and a transposed convolution taken apart: cut into columns, multiplied, folded back. For one
channel and small matrices, to be looked at. Imports no torch.
"""

from dataclasses import dataclass

import numpy as np

from ganart.errors import InputError

Term = tuple[int, int]  # (place in the picture, row by row, or -1 in the padding; place in the kernel)


@dataclass(frozen=True, eq=False)
class Taken:
    """What was done: picture (H, W), kernel (k, k), columns (k², number of columns), result (h, w).

    terms: for each place of the result, row by row, the products of a value of the picture and one of the kernel
    that it is the sum of. cells: for each term, its row and column in `columns`.
    """

    picture: np.ndarray
    kernel: np.ndarray
    columns: np.ndarray
    result: np.ndarray
    terms: list[list[Term]]
    cells: list[list[tuple[int, int]]]


def _check(picture: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> int:
    side = len(kernel)
    if picture.ndim != 2 or kernel.shape != (side, side):
        raise InputError("A picture of rows and columns is needed, and a kernel as high as it is wide.")
    if stride < 1 or padding < 0:
        raise InputError(f"Stride {stride} and padding {padding} were given. Strides begin at 1, paddings at 0.")
    return side


def convolve(picture: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0) -> Taken:
    """A convolution, as deep learning calls it: the kernel slides over the picture, which gets a border of zeros
    (Dumoulin and Visin 2016, arXiv:1603.07285). im2col writes each patch under the kernel as a column; the flat
    kernel times that matrix is the result.

    picture: (H, W); the result has (H + 2 padding - k) // stride + 1 rows. Raises InputError where the kernel does
    not fit in.
    """
    side = _check(picture, kernel, stride, padding)
    height, width = picture.shape
    rows, across = ((length + 2 * padding - side) // stride + 1 for length in (height, width))
    if rows < 1 or across < 1:
        raise InputError("The kernel is larger than the picture with its border. Choose more padding.")
    padded = np.pad(picture, padding)
    columns = np.empty((side * side, rows * across), picture.dtype)
    terms, cells = [], []
    for place in range(rows * across):
        top, left = stride * (place // across), stride * (place % across)
        columns[:, place] = padded[top : top + side, left : left + side].ravel()
        found = []
        for index in range(side * side):
            row, column = top + index // side - padding, left + index % side - padding
            inside = 0 <= row < height and 0 <= column < width
            found.append((row * width + column if inside else -1, index))
        terms.append(found)
        cells.append([(index, place) for index in range(side * side)])
    return Taken(picture, kernel, columns, (kernel.ravel() @ columns).reshape(rows, across), terms, cells)


def transpose(picture: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0) -> Taken:
    """A transposed convolution: every value of the picture stamps the kernel, scaled by itself, onto the result,
    `stride` apart, and a border of `padding` is cut off. The flat kernel as a column times the flat picture as
    a row makes the columns; col2im folds each back to where it belongs and adds up what overlaps.

    picture: (H, W); the result has (H - 1) stride - 2 padding + k rows. It is the convolution's matrix, turned
    over, and not its inverse. Raises InputError where nothing would be left.
    """
    side = _check(picture, kernel, stride, padding)
    height, width = picture.shape
    rows, across = ((length - 1) * stride - 2 * padding + side for length in (height, width))
    if rows < 1 or across < 1:
        raise InputError("With that much padding nothing of the result is left. Choose less.")
    columns = np.outer(kernel.ravel(), picture.ravel())
    result = np.zeros((rows, across), columns.dtype)
    terms: list[list[Term]] = [[] for _ in range(rows * across)]
    cells: list[list[tuple[int, int]]] = [[] for _ in range(rows * across)]
    for place in range(height * width):
        top, left = stride * (place // width) - padding, stride * (place % width) - padding
        for index in range(side * side):
            row, column = top + index // side, left + index % side
            if 0 <= row < rows and 0 <= column < across:
                result[row, column] += columns[index, place]
                terms[row * across + column].append((place, index))
                cells[row * across + column].append((index, place))
    return Taken(picture, kernel, columns, result, terms, cells)
