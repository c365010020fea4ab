"""The proposals that are being evaluated, in a file: for searches that use results as they come.

In such a search a later trial may be recorded before an earlier one. The proposal of the earlier
one is not in the journal then, and could not be made again.
"""

from __future__ import annotations

from pathlib import Path

from nas.core.proposal import Proposal
from nas.runs.atomic_io import write_whole
from nas.runs.upgrade import upgrade_trial
from search_spaces import strict_json


class PendingProposals:
    """Proposals by the numbers of their trials, in a file that need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proposals: dict[int, Proposal] = {}

    def read(self) -> dict[int, Proposal]:
        """Read the file: every proposal that was being evaluated, and perhaps some that have ended.

        Raises:
            ValueError: the file is damaged.
        """
        if not self._path.exists():
            return {}
        try:
            fields = strict_json.loads(self._path.read_text())
            return {
                int(number): Proposal.from_dict(upgrade_trial(p)) for number, p in fields.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{self._path}: damaged ({error}); remove it, and the trials that were being "
                f"evaluated are proposed anew"
            ) from None

    def add(self, number: int, proposal: Proposal) -> None:
        """Write a proposal that is about to be evaluated.

        Raises:
            OSError: it could not be written.
        """
        self._proposals[number] = proposal
        plain = {str(n): p.to_dict() for n, p in self._proposals.items()}
        write_whole(self._path, strict_json.dumps(plain))

    def discard(self, number: int) -> None:
        """Leave out a proposal whose trial is recorded, when the file is written next."""
        self._proposals.pop(number, None)
