"""What the server does for itself: that memory comes back."""

import platform
import subprocess
import sys

import pytest

# A hundred arrays of 1 MB, with something small left between them.
PROGRAM = """
import numpy as np, psutil
from ganart import server
{first}
del (larger := [np.ones(2**20)])[0]
before = psutil.Process().memory_info().rss
pictures, kept = [], []
for _ in range(100):
    pictures.append(np.ones(2**17))
    kept.append(bytes(4000))
pictures.clear()
print((psutil.Process().memory_info().rss - before) / 2**20)
"""


def left(first: str) -> float:
    """MB that a process keeps after it has freed 100 MB."""
    return float(subprocess.check_output([sys.executable, "-c", PROGRAM.format(first=first)]))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
def test_memory_that_is_freed_goes_back_to_the_system():
    assert left("server.keep_small()") < 10 < 60 < left("")
