"""The training of a run's supernet, and its comparison with members trained from scratch.

It is `evaluator/supernet.json` of the run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from nas.core import schema
from nas.runs.atomic_io import read_whole, write_whole
from search_spaces import strict_json

FILE = "supernet.json"
_MOST = 10_000_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A member of a supernet that was trained from scratch.

    Attributes:
        architecture: The architecture as text.
        supernet: Its score by the supernet, the larger, the better.
        trained: Its validation accuracy when trained by itself.
    """

    architecture: str
    supernet: float
    trained: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetFacts:
    """The training of a supernet, and how far it ranks as trainings from scratch do.

    Attributes:
        seconds: Seconds of its training and of the comparison.
        losses: Its training loss in each epoch, the mean over the subnets.
        compared: The members that were trained.
        tau: Kendall's tau of the two rankings; None until all are trained.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    compared: tuple[Compared, ...] = ()
    tau: float | None = None
    low: float = -1.0
    high: float = 1.0

    @property
    def is_believed(self) -> bool:
        """True if the interval does not hold 0."""
        return self.tau is not None and self.low > 0

    def __str__(self) -> str:
        if not self.compared:
            return "its ranks are not compared with trainings"
        if self.tau is None:
            return f"{len(self.compared)} members trained from scratch so far"
        return (
            f"Kendall's tau {self.tau:.2f} (95 % interval {self.low:.2f} to {self.high:.2f}) with "
            f"{len(self.compared)} members trained from scratch"
        )


_MEMBER = schema.record(
    {
        "architecture": schema.text(200_000),
        "supernet": schema.number(-1e300, 1e300),
        "trained": schema.number(-1e300, 1e300),
    }
)
_TRUST = schema.record(
    {
        "seconds": schema.number(0, 1e300),
        "losses": schema.items(schema.number(-1e300, 1e300), most=1_000_000),
        "compared": schema.items(_MEMBER, most=10_000),
        "tau": schema.maybe(schema.number(-1, 1)),
        "low": schema.number(-1, 1),
        "high": schema.number(-1, 1),
    }
)


def write_facts(folder: Path, facts: SupernetFacts) -> None:
    """Write them to the folder of the evaluator."""
    write_whole(folder / FILE, strict_json.dumps(asdict(facts)))


def read_facts(folder: Path) -> SupernetFacts:
    """Read them; those before its training where there are none, or they cannot be read."""
    try:
        document = strict_json.loads(read_whole(folder / FILE, _MOST).decode())
        _TRUST(document, FILE)
    except (ValueError, OSError):
        return SupernetFacts()
    compared = tuple(Compared(**one) for one in document["compared"])
    return SupernetFacts(**{**document, "losses": tuple(document["losses"]), "compared": compared})
