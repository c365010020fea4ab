"""Search spaces that a run or a bundle names. A file of Python is code, and may be a stranger's.

The rule: opening and showing run nothing. The file is run only where the user names it for this
very call: `nas search --space FILE:VARIABLE`, likewise `nas export` and `nas retrain`, or the
argument `space` of a function. What stands in `run.json` or in a bundle never is, wherever it
points: a folder can say whatever it likes, its own digests included.

So a folder can also move to another machine: the user says where the file is there, and its
SHA-256 tells whether it is the one that the search was made with.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from nas.core.schema import visible
from search_spaces import SearchSpace, load


def file_of(space: str) -> Path | None:
    """The file of the user's own that `space` is in, if it is in one."""
    path, colon, _ = space.removeprefix("fixed:").partition(".py:")
    return Path(path + ".py") if colon else None


def open_space(
    recorded: str, given: str | None, where: Path, recorded_sha256: str | None = None
) -> SearchSpace:
    """The space that a folder was made with.

    Args:
        recorded: What the folder says it is.
        given: What the user says, if anything.
        where: The folder, or the file in it that says so: for the error.
        recorded_sha256: The digest that the file had, if the folder says so.

    Raises:
        ValueError: there is none such; or it is in a file, and the user has not named that; says
            what to do.
    """
    if given is None:
        if file_of(recorded) is not None:
            text = visible(recorded)
            raise ValueError(
                f"{where}: its search space is in a file, {text}, which is code and is run only if "
                f"you name it: add --space {text}, or wherever your copy is (in Python: space=...)"
            )
        try:
            return load(recorded)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if not same_but_for_place(recorded, given):
        raise ValueError(f"{where}: want its search space, {visible(recorded)}, got {given}")
    file = file_of(given)
    if file is not None and recorded_sha256 not in (None, digest(file)):
        raise ValueError(changed(file, where))
    return load(given)


def changed(file: Path | str, where: Path) -> str:
    """What is to be said of a file that is not what it was."""
    return (
        f"{where}: its search space {file} has changed since the run began; restore the file, or "
        f"start another run with --out"
    )


def digest(file: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"search space {file}: {error.strerror}") from None


def same_but_for_place(one: str, other: str) -> bool:
    """Whether two texts name the same variable of a file, wherever it is.

    That the files are equal is for their digests to say.
    """
    parts = [text.removeprefix("fixed:").partition(".py:") for text in (one, other)]
    if not all(colon for _, colon, _ in parts):
        return one == other
    fixed = [text.startswith("fixed:") for text in (one, other)]
    return fixed[0] == fixed[1] and parts[0][2] == parts[1][2]
