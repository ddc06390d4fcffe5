"""Which processor trains."""

import pytest
import torch

from ganart import devices
from ganart.errors import InputError

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100a", "sm_120"]


@pytest.mark.parametrize(
    ("card", "built", "works"),
    [
        ((6, 1), BUILT, False),  # older than all of it
        ((7, 5), BUILT, True),
        ((8, 9), BUILT, True),  # code of 8.6 runs there
        ((9, 0), BUILT, True),
        ((12, 1), BUILT, True),
        ((11, 0), BUILT, False),
        ((13, 0), [*BUILT, "compute_120"], True),  # what is translated runs on all that come later
        ((9, 4), ["gfx942"], True),
    ],
)
def test_a_card_that_this_torch_has_no_code_for_is_left_alone(monkeypatch, card, built, works):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: card)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.pick("auto") == ("cuda" if works else "cpu")
    if works:
        assert devices.pick("cuda") == "cuda"
    else:
        with pytest.raises(InputError, match="no code for the graphics card"):
            devices.pick("cuda")
