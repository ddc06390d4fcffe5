"""How small, how true and how fast exported films are: `python -m benchmarks.export [PART …]`.

PART: smooth, textured, digits, memory, paint; all without any. Golden clips are made from seeds. smooth and
textured: 120 frames of 256 px in which every pixel changes all the time, six fields of noise with a spectrum of
1/f^1.8 or 1/f^1.35 mixed along a circle, stretched to the whole range. digits: a 6x6 grid of `mnist-best` on
loops, 120 frames. The rival is `imageio.v3.imwrite` as it comes. Errors are over all frames and channels together.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FRAMES, SIDE, FPS = 120, 256, 25
TARGETS = {  # KB, dB of the GIF; KB, dB of the MP4
    "smooth": (2450, 31.4, 250, 37.5),
    "textured": (3050, 30.9, None, None),
    "digits": (800, 49.0, None, None),
}
ROUNDS = 3


def fields(exponent: float) -> np.ndarray:
    """The clip of that spectrum, uint8 (120, 256, 256, 3)."""
    rng = np.random.default_rng(0)
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    radius = np.hypot(fx, fy)
    radius[0, 0] = 1.0
    made = []
    for _ in range(6):
        spectrum = rng.standard_normal((3, *radius.shape)) + 1j * rng.standard_normal((3, *radius.shape))
        spectrum /= radius**exponent
        spectrum[:, 0, 0] = 0.0
        field = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
        made.append(np.moveaxis(field / field.std(), 0, -1))
    phases = rng.uniform(0, 2 * np.pi, 6)
    weights = np.cos(2 * np.pi * np.arange(FRAMES)[:, None] / FRAMES + phases)
    frames = np.tensordot(weights, np.stack(made), 1).astype(np.float32)
    low, high = frames.min(), frames.max()
    return ((frames - low) * (255 / (high - low))).round().astype(np.uint8)


def digits() -> np.ndarray:
    """The morphing digits, uint8 (120, 168, 168, 1)."""
    from ganart import filmconfig, models
    from ganart.film import Reel
    from ganart.filmconfig import FilmConfig, Keyframe

    seeds = tuple(Keyframe(str(seed)) for seed in range(36))
    film = FilmConfig("circle", seeds, filmconfig.frame_count(FRAMES / FPS, FPS), FPS, rows=6, columns=6)
    reel = Reel(models.find_model("mnist-best"), film, ".gif")
    return np.stack(list(reel.paint(reel.walk(), None)))


def psnr(decoded: np.ndarray, frames: np.ndarray) -> float:
    """Of all frames together, dB."""
    error = ((decoded.astype(np.float32) - frames) ** 2).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def shown(data: bytes) -> np.ndarray:
    """What a GIF shows at each moment, (N, H, W, 3)."""
    from PIL import Image, ImageSequence

    found = []
    with Image.open(io.BytesIO(data)) as image:
        for frame in ImageSequence.Iterator(image):
            found += [np.asarray(frame.convert("RGB"))] * max(1, round(frame.info["duration"] * FPS / 1000))
    return np.stack(found)


def _timed(act) -> tuple[object, float]:
    started = time.process_time()
    found = act()
    return found, time.process_time() - started


def clip(name: str, frames: np.ndarray) -> None:
    """Ours and the rival's GIF of a clip, and the MP4, as rows of a table."""
    import imageio.v3 as iio

    from ganart import gif, video

    colours = np.broadcast_to(frames, (*frames.shape[:3], 3))
    given = frames[..., 0] if frames.shape[3] == 1 else frames  # grey as grey, for both
    ours, theirs = [], []
    for _ in range(ROUNDS):  # in turns, so that a noisy machine disturbs both
        data, seconds = _timed(lambda: gif.gif_bytes(frames, FPS))
        ours.append(seconds)
        rival, seconds = _timed(lambda: iio.imwrite("<bytes>", given, extension=".gif", duration=1000 / FPS))
        theirs.append(seconds)
    most, least, mp4_most, mp4_least = TARGETS[name]
    share = np.median(ours) / np.median(theirs)
    size, error = (
        f"{len(data) / 1000:.0f} (at most {most})",
        f"{psnr(shown(data), colours):.1f} (at least {least})",
    )
    print(f"| {name} | GIF | {size} | {error} | {np.median(ours):.2f} s, {share:.2f} of imageio's |")
    size, error = f"{len(rival) / 1000:.0f}", f"{psnr(shown(rival), colours):.1f}"
    print(f"| {name} | imageio | {size} | {error} | {np.median(theirs):.2f} s |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        _, seconds = _timed(lambda: video.write(path, iter(frames), FPS, {}))
        size = path.stat().st_size / 1000
        told = f" (at most {mp4_most})" if mp4_most else ""
        error = f" (at least {mp4_least})" if mp4_least else ""
        print(
            f"| {name} | MP4 | {size:.0f}{told} | {psnr(_played(path), colours):.1f}{error} | {seconds:.2f} s |",
            flush=True,
        )


def _played(path: Path) -> np.ndarray:
    """What an MP4 shows, its colours taken as BT.709."""
    import av
    from av.video.reformatter import Colorspace

    with av.open(str(path)) as container:
        pictures = [
            frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU709).to_ndarray()
            for frame in container.decode(video=0)
        ]
    return np.stack(pictures)


def memory() -> None:
    """The memory that an MP4 of 600 frames of 512 px takes over the idle process, in a process of its own."""
    code = """
import sys
from pathlib import Path
import numpy as np, psutil
from ganart import video
rss = psutil.Process().memory_info
def frames(count, side, seen):
    base = np.random.default_rng(0).integers(0, 256, (side, side + count, 3), np.uint8)
    for index in range(count):
        seen.append(rss().rss)
        yield base[:, index:index + side]
    seen.append(rss().rss)
folder, idle, busy = Path(sys.argv[1]), [], []
video.write(folder / "warm.mp4", frames(2, 16, idle), 25, {})
before = rss().rss
video.write(folder / "film.mp4", frames(600, 512, busy), 25, {})
print(before / 2**20, max(busy) / 2**20)
"""
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    before, after = map(float, answer.stdout.split())
    print(f"MP4 of 600 frames of 512 px: {after - before:.0f} MB over {before:.0f} MB (at most 100)", flush=True)


def paint() -> None:
    """36 digits on loops, 240 frames: the rate of painting beside that of a matrix product, and the encoding."""
    import torch

    from benchmarks.training import matrix_rate
    from ganart import gif, models
    from ganart.film import Reel
    from ganart.filmconfig import FilmConfig, Keyframe

    seeds = tuple(Keyframe(str(seed)) for seed in range(36))
    for name in ("mnist-best", "mnist-seed"):
        reel = Reel(models.find_model(name), FilmConfig("circle", seeds, 240, 25, rows=6, columns=6), ".gif")
        flop = _flop(reel.painter.G)
        walk = reel.walk()
        list(reel.paint(walk, None, range(8)))
        rates, products = [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            frames = np.stack(list(reel.paint(walk, None)))
            rates.append(36 * 240 * flop / (time.perf_counter() - started))
            products.append(matrix_rate("float32"))
        _, seconds = _timed(lambda frames=frames: gif.gif_bytes(frames, 25))
        share = np.median(rates) / np.median(products) / 1e9
        print(
            f"{name}: 36 digits x 240 frames at {np.median(rates) / 1e9:.0f} GFLOP/s, {share:.0%} of the product's"
            f" {np.median(products):.0f} (at least 65 %), {torch.get_num_threads()} threads; "
            f"{36 * 240 * flop / np.median(rates):.1f} s of painting, {seconds:.2f} s of encoding (at most 0.6)",
            flush=True,
        )


def _flop(G: object) -> float:
    """Floating-point operations of one picture, as torch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode(False), torch.no_grad():
        G(torch.zeros(1, G.config.z_dim))
    return float(counter.get_total_flops())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"smooth": 1.8, "textured": 1.35, "digits": None, "memory": None, "paint": None}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    options = parser.parse_args()
    header = "| clip | file | KB | dB | processor time |\n|---|---|---|---|---|"
    if set(options.parts) & {"smooth", "textured", "digits"}:
        print(header)
    for name in options.parts:
        if name in ("smooth", "textured"):
            clip(name, fields(parts[name]))
        elif name == "digits":
            clip(name, digits())
        else:
            {"memory": memory, "paint": paint}[name]()


if __name__ == "__main__":
    main()
