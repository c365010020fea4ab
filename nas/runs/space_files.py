"""Search spaces that a run or a bundle names, whose Python files may be untrusted.

Opening and showing a folder run nothing. The file of a space is run only if the user names it for
that very call: by `--space FILE:VARIABLE` of `nas search`, `nas export` or `nas retrain`, or by the
argument `space` of a function. A file that only `run.json` or a bundle names is never run, since a
folder can name any file and any digest.

A folder can therefore move to another machine: the user names the file there, and its SHA-256 shows
if it is the one that the search was made with.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from nas.core.schema import visible
from search_spaces import SearchSpace, SpaceReference, load


def open_space(
    recorded: str, given: str | None, where: Path, recorded_sha256: str | None = None
) -> SearchSpace:
    """The space that a folder was made with.

    Args:
        recorded: Reference to the space in the folder.
        given: Reference by the user, if any.
        where: The folder, or the file with the reference, for errors.
        recorded_sha256: SHA-256 of the file in the folder, if it has one.

    Raises:
        ValueError: there is no such space, or it is in a file that the user has not named; says
            what to do.
    """
    try:
        reference = SpaceReference.parse(recorded)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if given is None:
        if reference.kind == "passed":
            raise ValueError(
                f"{where}: its search space {visible(recorded)} was passed by a program: pass it "
                f"again (in Python: space=...)"
            )
        if reference.is_code:
            text = visible(recorded)
            raise ValueError(
                f"{where}: its search space is in a {reference.kind}, {text}, which is code and is run only if "
                f"you name it: add --space {text}, or wherever your copy is (in Python: space=...)"
            )
        try:
            return load(recorded)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    mine = SpaceReference.parse(given)
    if reference.ensemble:  # the space of its members is enough
        mine = replace(mine, ensemble=True)
    if not mine.same_but_for_place(reference):
        raise ValueError(f"{where}: want its search space, {visible(recorded)}, got {given}")
    if mine.file is not None and recorded_sha256 not in (None, digest(mine.file)):
        raise ValueError(changed(mine.file, where))
    return load(str(mine))


def load_space(text: str, sha256: str | None = None) -> SearchSpace:
    """Load a space that the user has named; see `search_spaces.load`.

    Args:
        text: Reference to the space.
        sha256: SHA-256 that its file must have, if it is known.

    Raises:
        ValueError: there is no such space, or its file has changed.
    """
    file = SpaceReference.parse(text).file
    if file is not None and sha256 not in (None, digest(file)):
        raise ValueError(f"search space {text}: {file} has changed since the search began")
    return load(text)


def changed(file: Path | str, where: Path, kind: str = "search space") -> str:
    """The message about a user's file that has changed; `kind` is the word for what it holds."""
    return (
        f"{where}: its {kind} {file} has changed since the run began; restore the file, or "
        f"start another run with --out"
    )


def digest(file: Path, kind: str = "search space") -> str:
    """The SHA-256 of a file.

    Args:
        file: The file.
        kind: The word for what it holds, in errors.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{kind} {file}: {error.strerror}") from None
