"""Against the recipe of the tutorials, at the same number of pictures and at the same time:
`python -m benchmarks.versus FOLDER OUT [--kimg 200] [--seeds 3] [--width 32]`.

1,000 pictures of FOLDER to learn from and 1,000 others to measure with. `textbook` trains as tutorials do, in a
DataLoader with its own resizing; ganart trains with the preset that it offers (`sketch`, or `art` on a graphics
card). The textbook's G is taken when it has seen as many pictures, and when it has taken as much time; time is
that of the processors, all threads together, so that other work beside does not count. Everything is kept in OUT,
and what is there is read again.
"""

import argparse
import dataclasses
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

SIZE, LEARNED, MEASURED = 64, 1000, 1000
FIRST_SEED = 5_000_000
COLUMNS = ("swd", "kid_rf", "coverage", "density", "nn_ratio", "c_t")


class Painter(nn.Module):
    """The textbook's G as one that `render` can draw with: in training mode, since tutorials draw so."""

    def __init__(self, G: nn.Module) -> None:
        super().__init__()
        from ganart.config import NetworkConfig

        self.G, self.config = G.train(), NetworkConfig(size=SIZE)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.G(z[:, :, None, None])


def divide(folder: Path, out: Path) -> tuple[Path, Path]:
    """Two folders of copies of files of FOLDER: 1,000 and 1,000, the same ones every time."""
    made = out / "learned", out / "measured"
    if not made[1].is_dir():
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        order = np.random.default_rng(0).permutation(len(files))
        for target, places in zip(made, (order[:LEARNED], order[LEARNED : LEARNED + MEASURED]), strict=True):
            (target / "all").mkdir(parents=True, exist_ok=True)
            for number, place in enumerate(places):
                shutil.copyfile(files[place], target / "all" / f"{number:04}{files[place].suffix}")
    return made


def pixels_of(folder: Path) -> np.ndarray:
    """The pictures as the intake has them, (N, 64, 64, 3)."""
    from ganart import dataset
    from ganart.config import IntakeConfig

    return np.asarray(dataset.prepare(folder, IntakeConfig(size=SIZE, channels=3)).images())


def clock() -> float:
    """Seconds: of the processors, which other work beside does not change; with a card those that pass."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def ours(folder: Path, seed: int, kimg: float, width: int):
    """The finished run, and the seconds that it took, as `clock` counts them."""
    from ganart import dataset, devices, launch, presets, run
    from ganart import train as trainer
    from ganart.config import IntakeConfig

    store = dataset.prepare(folder, IntakeConfig(size=SIZE, channels=3))
    device = devices.pick("auto")
    preset = presets.preset(presets.usual(SIZE, 3, device))
    settings = dataclasses.replace(
        presets.for_dataset(preset, SIZE, 3, width),
        dataset=store.name,
        dataset_hash=store.hash,
        kimg=kimg,
        seed=seed,
        device=device,
    )
    name = f"ours-{width}-{kimg:g}-{seed}".replace(".", "-")
    there = [item for item in run.list_runs() if item.name == name]
    target = there[0] if there else launch.create(settings, name)
    timing = target.folder / "seconds.json"
    if target.status().state != "done":
        if target.state.is_file():
            launch.make_ready(target)
        started = clock()
        before = json.loads(timing.read_text()) if timing.is_file() else 0.0
        try:
            trainer.work(target)
        finally:
            timing.write_text(json.dumps(before + clock() - started))
    return target, json.loads(timing.read_text())


def theirs(folder: Path, out: Path, seed: int, width: int, images: int, seconds: float) -> dict[str, nn.Module]:
    """The textbook's G at that many pictures and at that time, trained now where they are not there yet."""
    from benchmarks import textbook

    name = f"textbook-{width}-{images}-{seed}"
    paths = {kind: out / f"{name}-{kind}.npz" for kind in ("pictures", "time")}
    if not all(path.is_file() for path in paths.values()):
        torch.manual_seed(seed)
        started, seen = clock(), 0

        def look(G: nn.Module, step: int) -> bool:
            nonlocal seen
            seen = step * textbook.BATCH
            for kind, reached in (("pictures", seen >= images), ("time", clock() - started >= seconds)):
                if reached and not paths[kind].is_file():
                    np.savez(paths[kind], **{name: value.cpu().numpy() for name, value in G.state_dict().items()})
            return all(path.is_file() for path in paths.values())

        textbook.train(folder, 10**9, width=width, look=look)
    found = {}
    for kind, path in paths.items():
        G, _ = textbook.networks(width)
        with np.load(path, allow_pickle=False) as values:
            G.load_state_dict({name: torch.from_numpy(values[name]) for name in values.files})
        found[kind] = G
    return found


def measure(painted: np.ndarray, learned: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """All figures of one set of pictures, against those that nobody learned from."""
    from ganart import copying, evaluate, metrics, nearest

    found = evaluate.compare(measured, painted, metrics.features(measured))
    of_fake, of_real = (nearest.search(some, learned)[1] for some in (painted, measured))
    points = [nearest.thumbnails(some) for some in (measured, painted, learned)]
    found["nn_ratio"] = copying.ratio(of_fake, of_real)
    found["c_t"] = copying.statistic(*points, of_real, of_fake)
    return found


def draw(G: nn.Module, z_dim: int) -> np.ndarray:
    from ganart import latent, render

    return render.pictures(G, latent.sample_z(list(range(FIRST_SEED, FIRST_SEED + MEASURED)), z_dim))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kimg", type=float, default=200.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["GANART_HOME"] = str(options.out)
    from ganart import detached

    os.environ.update(detached.ENVIRONMENT)
    from ganart import checkpoint, copying, evaluate, images, metrics, models, nearest

    folders = divide(options.folder, options.out)
    learned, measured = map(pixels_of, folders)
    n = min(len(learned), len(measured))
    learned, measured = learned[:n], measured[:n]
    floor = evaluate.compare(measured, learned, metrics.features(measured))
    of_inner, of_outer = (
        nearest.search(learned, learned, own=np.arange(n))[1],
        nearest.search(measured, learned)[1],
    )
    points = [nearest.thumbnails(some) for some in (measured, learned, learned)]
    floor["nn_ratio"] = copying.ratio(of_inner, of_outer)
    floor["c_t"] = copying.statistic(*points, of_outer, of_inner)
    found: dict[str, list[dict[str, float]]] = {"training pictures (floor)": [floor]}
    for seed in range(options.seeds):
        target, seconds = ours(folders[0], seed, options.kimg, options.width)
        G, card = checkpoint.load_generator(models.find_model(target.id).path)
        sets = {f"{card.recipe['preset']}, {options.kimg:g} kimg": draw(G, card.networks.z_dim)}
        for kind, G in theirs(
            folders[0], options.out, seed, options.width, round(1000 * options.kimg), seconds
        ).items():
            sets[f"textbook, same {kind}"] = draw(Painter(G), 128)
        for name, painted in sets.items():
            found.setdefault(name, []).append(measure(painted, learned, measured))
            sheet = options.out / f"sheet-{name.replace(' ', '-').replace(',', '')}-{seed}.png"
            sheet.write_bytes(images.encode(images.tile(painted[:36], 6)))
        print(f"seed {seed}: ganart took {seconds:.0f} s", flush=True)
    print(f"| {' | '.join(['', *COLUMNS])} |\n|{'---|' * (1 + len(COLUMNS))}")
    for name, rows in found.items():
        cells = []
        for column in COLUMNS:
            values = [row[column] for row in rows if column in row]
            spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
            cells.append(f"{np.median(values):.2f}{spread}" if values else "")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
