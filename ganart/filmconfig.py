"""Every setting of a film: frozen dataclasses that check themselves and travel as JSON inside the file that they
make. Imports no torch."""

import dataclasses
import re
from dataclasses import dataclass

from ganart.checks import checked_keys, need, number, one_of, told, whole
from ganart.errors import InputError

WALKS = ("slerp", "spline")  # through all keyframes
LOOPS = ("circle", "noise", "direction")  # from one keyframe back to it
GROWTHS = ("sheets", "growth")  # of a training: its sheets, or its checkpoints painting anew
PATHS = (*WALKS, *LOOPS, *GROWTHS)
FPS = (10, 20, 25, 50)  # a GIF counts hundredths of a second, and players stretch delays under two of them
MOST_FRAMES, MOST_KEYFRAMES, MOST_ACROSS, MOST_SIDE = 6000, 64, 12, 4096
REST_SECONDS = 1.5  # at the end of the film of a training
BEATS_IN_A_BAR = 4


@dataclass(frozen=True)
class Keyframe:
    """A place that the film goes through (its text, see `places`). rest, way: how long it stays there and how long
    it takes to the next, in proportion to all rests and ways of the film."""

    place: str
    rest: float = 0.0
    way: float = 1.0

    def __post_init__(self) -> None:
        pattern = r"[0-9]{1,10}|z\.[A-Za-z0-9_-]{1,6000}"
        need(
            isinstance(self.place, str) and bool(re.fullmatch(pattern, self.place)),
            f"“{str(self.place)[:30]}” is no place that a film can go through.",
        )
        need(number(self.rest, 0, 100), f"A rest of {told(self.rest)} was asked for. It lies between 0 and 100.")
        need(
            number(self.way, 0.01, 100), f"A way of {told(self.way)} was asked for. It lies between 0.01 and 100."
        )


@dataclass(frozen=True)
class FilmConfig:
    """A film, but for the model that paints it.

    path: one of PATHS. keyframes: for walks two or more, for loops one for each picture of the grid (a single one
    is enough for direction), for growth one for each picture of the grid or, to wander meanwhile, two or more in a
    single picture; none for sheets.
    frames, fps: length and speed. easing: "linear", or "smooth", which slows down at keyframes. even: the picture
    changes at constant speed. waves: of noise, 1 (calm) to 6 (lively). direction, index, reach: along which
    direction of `directions.KINDS`, how far in standard deviations.
    rows, columns: pictures on the screen. width, height: of the file in px, 0 for what suits the pictures.
    smooth: scaled by Lanczos, not as squares. background: rrggbb, around the pictures.
    """

    path: str = "slerp"
    keyframes: tuple[Keyframe, ...] = ()
    frames: int = 150
    fps: int = 25
    easing: str = "linear"
    even: bool = False
    waves: int = 2
    direction: str = "ganspace"
    index: int = 0
    reach: float = 3.0
    rows: int = 1
    columns: int = 1
    width: int = 0
    height: int = 0
    smooth: bool = False
    background: str = "000000"

    def __post_init__(self) -> None:
        one_of("The path", self.path, PATHS)
        one_of("The easing", self.easing, ("linear", "smooth"))
        one_of("The direction", self.direction, ("sefa", "ganspace"))
        check_fps(self.fps)
        need(
            whole(self.frames, 2, MOST_FRAMES),
            f"A film of {told(self.frames)} frames was asked for. It may have 2 to {MOST_FRAMES:,}.",
        )
        need(whole(self.waves, 1, 6), f"{told(self.waves)} waves were asked for. Choose 1, calm, to 6, lively.")
        need(
            whole(self.index, 0, 11), f"Direction {told(self.index)} was asked for. They are counted from 0 to 11."
        )
        need(number(self.reach, 0.1, 6), f"A reach of {told(self.reach)} was asked for. Choose 0.1 to 6.")
        need(
            whole(self.rows, 1, MOST_ACROSS) and whole(self.columns, 1, MOST_ACROSS),
            f"A grid of {told(self.rows)}x{told(self.columns)} was asked for. "
            f"Choose 1 to {MOST_ACROSS} rows and columns.",
        )
        need(
            all(whole(side, 0, 0) or whole(side, 16, MOST_SIDE) for side in (self.width, self.height))
            and bool(self.width) == bool(self.height),
            f"{told(self.width)}x{told(self.height)} px were asked for. "
            f"Choose 16 to {MOST_SIDE} px for both sides.",
        )
        need(isinstance(self.even, bool) and isinstance(self.smooth, bool), "even and smooth are true or false.")
        need(
            isinstance(self.background, str) and bool(re.fullmatch("[0-9a-f]{6}", self.background)),
            f"“{str(self.background)[:20]}” is no colour. Write it as rrggbb, such as 1a1a1a.",
        )
        self._check_keyframes()

    def _check_keyframes(self) -> None:
        count, cells = len(self.keyframes), self.rows * self.columns
        need(count <= max(MOST_KEYFRAMES, cells), f"{count} keyframes are too many. Use up to {MOST_KEYFRAMES}.")
        if self.path in WALKS:
            need(count >= 2, "A walk needs at least two keyframes. Add another one.")
            need(
                self.frames >= count,
                f"{self.frames} frames are too few for {count} keyframes. Make the film longer.",
            )
        elif self.path == "direction":
            need(count in (1, cells), f"A way along a direction starts from one keyframe, but {count} were given.")
        elif self.path in LOOPS:
            wanted = (
                "This loop needs one seed"
                if cells == 1
                else f"A {self.rows}x{self.columns} grid needs {cells} seeds"
            )
            need(count == cells, f"{wanted}, but {count} were given.")
        elif self.path == "growth":
            wander = cells == 1 and count >= 2
            need(
                count == cells or wander,
                f"{cells} pictures that grow need as many keyframes, but {count} were given.",
            )
        need(self.path != "sheets" or count == 0, "The sheets of a training have no keyframes.")

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def loops(self) -> bool:
        """Whether it ends where it began."""
        return self.path not in GROWTHS


def check_fps(fps: int) -> None:
    """Raises InputError for a speed that players do not honour."""
    if not isinstance(fps, int) or fps not in FPS:
        choices = ", ".join(map(str, FPS))
        raise InputError(f"{told(fps)} frames a second do not play evenly everywhere. Choose {choices}.")


def frame_count(seconds: float, fps: int) -> int:
    """Frames of a loop; raises InputError for a speed that players do not honour or a length out of range."""
    check_fps(fps)
    if not 0.2 <= seconds <= 120:
        raise InputError(f"A length of {seconds:g} s was asked for. Choose 0.2 to 120 seconds.")
    return max(2, round(seconds * fps))


def beats(bpm: float, bars: int, fps: int) -> int:
    """Frames of that many bars of four beats at a tempo; raises InputError for what is out of range."""
    need(number(bpm, 20, 400), f"A tempo of {told(bpm)} was asked for. Choose 20 to 400 beats a minute.")
    need(whole(bars, 1, 256), f"{told(bars)} bars were asked for. Choose 1 to 256.")
    return frame_count(bars * BEATS_IN_A_BAR * 60 / bpm, fps)


def to_dict(film: FilmConfig) -> dict:
    """The film as JSON values."""
    return dataclasses.asdict(film) | {"keyframes": [dataclasses.asdict(frame) for frame in film.keyframes]}


def from_dict(values: object) -> FilmConfig:
    """A film from JSON values; raises InputError for unknown keys or values out of range."""
    checked = dict(checked_keys(FilmConfig, values))
    frames = checked.get("keyframes", [])
    need(isinstance(frames, list | tuple), "Keyframes are a list.")
    try:
        keyframes = tuple(Keyframe(**checked_keys(Keyframe, frame)) for frame in frames)
        return FilmConfig(**{**checked, "keyframes": keyframes})
    except TypeError as error:
        raise InputError("The recipe of the film is damaged: values are missing or of the wrong kind.") from error


@dataclass(frozen=True)
class Place:
    """Where a film goes: what it is called, the kind of file, its size (0: what suits the pictures)."""

    title: str
    suffix: str
    width: int = 0
    height: int = 0


PLACES = {  # for the command line and the page
    "anywhere": Place("Anywhere (GIF)", ".gif"),
    "square": Place("Square, 1080 x 1080", ".mp4", 1080, 1080),
    "portrait": Place("Portrait, 1080 x 1350", ".mp4", 1080, 1350),
    "reel": Place("Reel, 1080 x 1920", ".mp4", 1080, 1920),
    "web": Place("Web page (WebP)", ".webp"),
}
