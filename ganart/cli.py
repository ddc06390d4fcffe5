"""The command line: its words. What they do is in `commands`. Errors are one line on stderr."""

import argparse
import io
import sys
from pathlib import Path
from typing import NoReturn

from ganart import config, export, filmconfig, presets
from ganart.commands import keep, learn, paint, prepare, tell
from ganart.errors import GanartError


def main(arguments: list[str] | None = None) -> int:
    """Run one command -> exit status: 0 done, 1 failed, 2 wrong input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that cannot show a character shows a question mark
    try:
        given = sys.argv[1:] if arguments is None else arguments
        options = _parser().parse_args(given)
        options.given = {word.partition("=")[0] for word in given if word.startswith("--")}
        return options.command(options) or 0
    except GanartError as error:
        print(f"ganart: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("ganart: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ganart: {message}. See: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ganart", description="Turn a folder of pictures into a latent space.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(command=function)
        return command

    command = add(
        "prepare", prepare.prepare, "Make a dataset from a folder or a .zip of pictures, or from “mnist”."
    )
    command.add_argument("source", help="folder, .zip, or mnist")
    command.add_argument("--size", type=int, help="side of the training pictures in px (default 64)")
    command.add_argument("--name", help="name of the dataset (default: made from the source)")
    command.add_argument(
        "--crop", choices=config.CROPS, default="centre", help="cut out the centre, or fit all of it"
    )
    command.add_argument("--crops", type=int, default=1, help="1 to 4 squares of each large picture (default 1)")
    command.add_argument("--background", default="ffffff", help="colour behind transparency and bars, as rrggbb")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    command = add(
        "train",
        learn.train,
        "Train on a folder, a .zip, “mnist” or a prepared dataset. Ctrl-C saves and stops.",
    )
    command.add_argument("source", help="folder, .zip, mnist, or the name of a dataset")
    command.add_argument("--preset", choices=list(presets.PRESETS), help="kind of networks and recipe")
    command.add_argument("--size", type=int, help="side of the training pictures in px")
    command.add_argument("--width", type=int, help="channels next to the picture; more is finer and slower")
    command.add_argument("--batch", type=int, help="pictures in a step")
    command.add_argument("--kimg", type=float, help="length, in thousands of pictures seen")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    command.add_argument("--name", help="name of the run")
    command.add_argument("--from", dest="model", metavar="MODEL", help="start from the networks of this model")

    command = add(
        "resume",
        learn.resume,
        "Go on with a run that was stopped or paused, or that crashed, exactly where it was.",
    )
    command.add_argument("run")
    branch = command.add_argument_group("going on otherwise", "Any of these makes a branch: a new run.")
    branch.add_argument("--from", dest="step", type=int, metavar="STEP", help="from a kept state, see `info RUN`")
    branch.add_argument("--kimg", type=float, metavar="TOTAL", help="longer: thousands of pictures in all")
    branch.add_argument("--pictures", metavar="SOURCE", help="on other pictures, such as more of them")
    branch.add_argument("--lr", type=float, help="with another learning rate")
    branch.add_argument("--gamma", type=float, help="with another weight of the gradient penalties")
    branch.add_argument("--augment", choices=["off", "steered", "full"], help="with more or less augmentation")
    branch.add_argument("--device", choices=["cpu", "cuda", "mps"], help="on another device")
    branch.add_argument("--name", help="name of the branch")

    command = add("stop", learn.stop, "Stop a run; it saves first.")
    command.add_argument("run")
    command = add("list", tell.list_all, "All runs, models, datasets and exports.")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    command = add("sample", paint.sample, "A sheet of pictures by their seeds.")
    command.add_argument("model")
    command.add_argument("--seeds", default="0-35", help="such as 0-35,40,3")
    command.add_argument("--columns", type=int, default=6)
    command.add_argument("--scale", type=int, default=4, help="each pixel becomes scale x scale")
    command.add_argument("--out", type=Path, required=True, help="a .png")

    command = add("animate", paint.animate, "A film that loops: a walk through seeds, or a grid of loops.")
    command.add_argument(
        "model", nargs="?", help="a model or a run; with --recipe, only to paint with another one"
    )
    command.add_argument("--recipe", type=Path, metavar="FILE", help="make the film in FILE again, as it was")
    command.add_argument("--seeds", help="keyframes of the walk, or the cells of the grid, such as 3,14,15")
    command.add_argument("--grid", help="rows x columns, such as 6x6, each picture on a loop of its own")
    paths = [path for path in filmconfig.PATHS if path not in filmconfig.GROWTHS]
    command.add_argument(
        "--path",
        choices=paths,
        help="slerp: straight from seed to seed (the usual one); spline: in a curve, no corners; circle: round "
        "from each seed and back (the usual one of a grid); noise: wandering and back; direction: to and fro",
    )
    command.add_argument(
        "--pace", choices=["time", "even"], default="time", help="even: at constant visible speed"
    )
    command.add_argument("--easing", choices=["linear", "smooth"], default="linear", help="smooth: slow at seeds")
    command.add_argument(
        "--rest", type=float, default=0.0, help="time at each seed, as a share of a way (default 0)"
    )
    command.add_argument("--waves", type=int, default=2, help="of noise: 1, calm, to 6, lively (default 2)")
    command.add_argument("--direction", default="ganspace:1", help="ganspace:1 to 12, or sefa:1 to 12")
    command.add_argument("--reach", type=float, default=3.0, help="how far along the direction (default 3)")
    _film_options(command, seconds=6.0)

    command = add(
        "timelapse",
        paint.timelapse,
        "The film of a training: its sheets, or its checkpoints painting anew; 1.5 s more on the last picture.",
    )
    command.add_argument("run", help="a run, or a model that came with its sheets")
    command.add_argument(
        "--seeds", help="paint these anew with every checkpoint; several are walked through meanwhile"
    )
    command.add_argument("--grid", help="with --seeds: rows x columns that stay where they are, such as 3x3")
    _film_options(command, seconds=8.0)

    command = add("forecast", tell.forecast, "How long a training will take on this computer.")
    command.add_argument("dataset", nargs="?", help="a dataset; without it, colour pictures of --size")
    command.add_argument("--size", type=int, help="side of the pictures in px (default: that of the preset)")
    command.add_argument("--preset", choices=list(presets.PRESETS))
    command.add_argument("--width", type=int)
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    kinds = "run, dataset, model (one that was copied in) or export"
    command = add("rename", keep.rename, "Give something in the workspace another name.")
    command.add_argument("kind", choices=keep.KINDS, help=kinds)
    command.add_argument("name")
    command.add_argument("new")
    command = add("delete", keep.delete, "Delete something from the workspace, after a question.")
    command.add_argument("kind", choices=keep.KINDS, help=kinds)
    command.add_argument("name")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command = add("disk", tell.disk, "How much room the workspace takes.")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command = add("pack", keep.pack, "Pack a run into one file, to go on with it on another computer.")
    command.add_argument("run")
    command.add_argument("--without-pictures", action="store_true", help="leave the dataset out")
    command.add_argument("--out", type=Path, required=True, help="a .ganart")
    command = add("unpack", keep.unpack, "Open a packed run here, or take in a model.")
    command.add_argument("file", help="a .ganart, or a model’s .safetensors")

    command = add("evaluate", tell.evaluate, "How good a model is, each figure beside what real pictures reach.")
    command.add_argument("model")
    command.add_argument("dataset", help="the pictures to measure against: a dataset, folder, .zip or mnist")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    command = add("export", keep.export, "A model as one file to give away, half the size, with its card.")
    command.add_argument("model")
    command.add_argument("--out", type=Path, required=True, help="a .safetensors")
    command = add("import", keep.take_in, "Take a model file that was exported into this workspace.")
    command.add_argument("file", type=Path)

    command = add("info", tell.info, "What a model, a run or an exported file says of itself.")
    command.add_argument("thing", help="model, run, or an exported file")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser


def _film_options(command: argparse.ArgumentParser, seconds: float) -> None:
    kinds = ", ".join(export.KINDS)
    length = command.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=seconds, help=f"length (default {seconds:g})")
    length.add_argument("--frames", type=int, help="length in frames")
    length.add_argument("--bpm", type=float, help="length in bars of four beats at this tempo")
    command.add_argument("--bars", type=int, default=4, help="with --bpm: how many bars (default 4)")
    command.add_argument("--fps", type=int, default=25, help="10, 20, 25 or 50 frames a second")
    side = command.add_mutually_exclusive_group()
    side.add_argument("--scale", type=int, help="each pixel becomes scale x scale (default: about 512 px)")
    side.add_argument("--size", help="width x height of the file, such as 1080x1350")
    side.add_argument(
        "--for",
        dest="place",
        choices=[name for name, place in filmconfig.PLACES.items() if place.width],
        help="a size that suits where it goes",
    )
    command.add_argument("--smooth", action="store_true", help="scale smoothly (Lanczos), not as squares")
    command.add_argument("--background", default="000000", help="colour around the pictures, as rrggbb")
    command.add_argument("--out", type=Path, required=True, help=f"the kind follows from the name: {kinds}")
