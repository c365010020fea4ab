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
from search_spaces import SearchSpace, SpaceReference, load
from search_spaces.reference import file_of as file_of


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
    try:
        reference = SpaceReference.parse(recorded)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if given is None:
        if reference.file is not None:
            text = visible(recorded)
            raise ValueError(
                f"{where}: its search space is in a file, {text}, which is code and is run only if "
                f"you name it: add --space {text}, or wherever your copy is (in Python: space=...)"
            )
        try:
            return load(recorded)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    mine = SpaceReference.parse(given)
    if not mine.same_but_for_place(reference):
        raise ValueError(f"{where}: want its search space, {visible(recorded)}, got {given}")
    if mine.file is not None and recorded_sha256 not in (None, digest(mine.file)):
        raise ValueError(changed(mine.file, where))
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
