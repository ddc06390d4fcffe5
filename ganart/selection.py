"""Which of the pictures that were looked at a store takes, in which order, and what is said where few are left.
Imports no torch."""

from ganart import intake

HOLD_OUT_FROM = 200
MIN_HELD_OUT = 30


def mark_duplicates(report: list[dict], hashes: dict[int, str]) -> None:
    """Leave out what has the same pixels as a picture before it. hashes: of the decoded pixels, by row."""
    first: dict[str, int] = {}
    for row in sorted(hashes):
        if (earlier := first.setdefault(hashes[row], row)) != row:
            report[row]["ok"] = False
            report[row]["reason"] = f"the same picture as {report[earlier]['file']}"


def split(kept: list[int], hashes: dict[int, str]) -> tuple[list[int], int]:
    """Rows in the order of the store (training first) and how many at its end are held out.

    From 200 pictures on a tenth, at least 30, is held out: those with the smallest content hashes, so that
    the same picture falls on the same side whatever the folder around it is called.
    """
    if len(kept) < HOLD_OUT_FROM:
        return kept, 0
    count = max(MIN_HELD_OUT, round(0.1 * len(kept)))
    outside = set(sorted(kept, key=lambda row: hashes[row])[:count])
    return [row for row in kept if row not in outside] + [row for row in kept if row in outside], count


def too_few(name: str, report: list[dict], kept: int) -> str:
    """The sentence for a source of this name with `kept` usable pictures."""
    reasons: dict[str, int] = {}
    for entry in report:
        if not entry["ok"]:
            words = entry["reason"].split(":")[0]
            words = "the same picture as another" if words.startswith("the same picture") else words
            reasons[words] = reasons.get(words, 0) + 1
    skipped = ", ".join(f"{count} {words}" for words, count in sorted(reasons.items(), key=lambda r: -r[1]))
    found = f"{kept} usable picture{'' if kept == 1 else 's'}" if kept else "no usable picture"
    return (
        f"“{name}” has {found} among {len(report)} file{'' if len(report) == 1 else 's'}"
        f"{f' (left out: {skipped})' if skipped else ''}. At least {intake.MIN_PICTURES} different pictures are "
        "needed: JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF."
    )
