"""What a search and its workers say to each other: JSON, as bytes.

Nothing that is received can run anything: there is no pickle in it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas.core.trial import Failure
from nas.evaluators import Outcome
from search_spaces import strict_json


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    return strict_json.dumps(message).encode("utf-8", "surrogatepass")


def unpack(data: bytes) -> dict[str, Any]:
    """The message that `pack` made bytes of."""
    message: dict[str, Any] = strict_json.loads(data.decode("utf-8", "surrogatepass"))
    return message


def outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    """Plain data of an outcome."""
    return asdict(outcome)


def outcome_from_dict(fields: dict[str, Any]) -> Outcome:
    """The outcome that `outcome_to_dict` took apart."""
    failure = fields["failure"]
    return Outcome(
        **{
            **fields,
            "failure": None if failure is None else Failure(**failure),
            "curve": tuple(fields["curve"]),
        }
    )
