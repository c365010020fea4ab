"""Messages between a search and its workers: JSON, as bytes.

Nothing that a search receives can run anything: there is no pickle in it. One message to a worker is
not JSON: after its first, a search may send the objects of its own program as they are, by value
(`nas.evaluators.by_value`).
"""

from __future__ import annotations

from typing import Any

from nas.core.failure import Failure
from nas.core.trial import Trial
from search_spaces import strict_json


def pack(message: dict[str, Any]) -> bytes:
    """Encode a message.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    return strict_json.dumps(message).encode("utf-8", "surrogatepass")


def unpack(data: bytes) -> dict[str, Any]:
    """Decode a message."""
    message: dict[str, Any] = strict_json.loads(data.decode("utf-8", "surrogatepass"))
    return message


def trial_fields(trial: Trial) -> dict[str, Any]:
    """A trial as a message has it; a failed one if it cannot be sent."""
    try:
        fields = trial.to_dict()
        Trial.from_dict(fields)
        pack(fields)
        return fields
    except (TypeError, ValueError) as error:
        failure = Failure("error", f"its result cannot be recorded: {error}")
        failed = Trial(
            number=trial.number, proposal=trial.proposal, recipe={}, scores={}, failure=failure
        )
        return failed.to_dict()
