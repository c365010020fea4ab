"""The fields of a small JSON file of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.runs.atomic_io import read_whole
from search_spaces import strict_json


def read_fields(file: Path, check: Callable[[Any], None], *, most: int) -> Any:
    """The checked fields of a file; None where there is no such file.

    Args:
        file: The file.
        check: Raises ValueError where a field is wrong; it may add fields of later versions.
        most: Bytes that it may have.

    Raises:
        ValueError: the file is damaged; the message names it, and says that it may be removed.
    """
    if not file.exists():
        return None
    try:
        fields: Any = strict_json.loads(read_whole(file, most).decode())
        check(fields)
    except ValueError as error:
        raise ValueError(f"{file}: {error}; it may be removed") from None
    return fields
