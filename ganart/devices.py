"""Which processor trains, and what it is good at."""

import os

import psutil
import torch

from ganart.errors import InputError


def pick(device: str) -> str:
    """ "auto" -> "cuda", else "mps", else "cpu"; raises InputError for a device that is not there, or that this
    torch has no code for."""
    cards = torch.cuda.is_available()
    usable = cards and _has_code()
    if device == "cuda" and cards and not usable:
        raise InputError(
            "This PyTorch has no code for the graphics card of this computer. Use the processor (--device cpu), "
            "or install a PyTorch that was built for the card."
        )
    available = {"cuda": usable, "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, there in available.items() if there)
    if not available.get(device, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise InputError(f"The device {device} is not available on this computer. Use {there}, or auto.")
    return device


def _has_code() -> bool:
    """Whether this torch was built for the graphics card, or for an older one whose code it can translate."""
    built = [arch.partition("_") for arch in torch.cuda.get_arch_list()]
    versions = [(kind, divmod(int(number.rstrip("af")), 10)) for kind, _, number in built if number[:1].isdigit()]
    if not versions:
        return True  # AMD's are called otherwise
    card = torch.cuda.get_device_capability()
    return any(version <= card and (kind == "compute" or version[0] == card[0]) for kind, version in versions)


def free_memory(device: str) -> int:
    """Bytes that the device has to spare now."""
    if device == "cuda":
        torch.cuda.empty_cache()  # what torch itself holds back is to spare, too
        return torch.cuda.mem_get_info()[0]
    if device == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return psutil.virtual_memory().available


def may_like_bfloat16(device: str) -> bool:
    """Whether bfloat16 can be faster than float32 there: a reason to measure it, no more."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # With AVX2 and less it is emulated, at a tenth of the speed and less: measuring alone would take a minute.
    return device == "cpu" and torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX", "AVX2")


def here(device: str) -> str:
    """What decides which precision and how many threads are faster, in words: "cpu AVX512, 8 cores"."""
    if device == "cuda":
        return f"cuda {torch.cuda.get_device_name()}"[:80]
    return f"{device} {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores"


def tune(device: str) -> None:
    """Let CUDA try which of its convolutions are fastest, and multiply what stays in float32 as TF32. Every step
    has the same shapes, so the trying pays. Other devices need nothing."""
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")


def is_memory(error: BaseException | None) -> bool:
    """Whether the error, or one that it came up in the wake of, says that memory is short."""
    # torch says it in a plain RuntimeError on some devices, the libraries of a card in one of their own; cuDNN
    # finds no way to do a convolution where it finds no room for one
    words = ("not enough memory", "out of memory", "alloc_failed", "unable to find an engine")
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(w in str(error).lower() for w in words):
            return True
        error = error.__context__
    return False
