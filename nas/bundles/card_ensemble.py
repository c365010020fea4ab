"""The part of a model card that says what an ensemble is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core import schema
from nas.core.numbers import counted, plain
from nas.core.schema import visible

MOST = 200  # networks of an ensemble

_WORDS = {
    "probabilities": "Its probabilities are the weighted mean of those of its networks",
    "sigmoids": "The probability of each label is the weighted mean of those of its networks",
    "outputs": "Its values are the weighted mean of those of its networks",
}
_MEMBER = schema.record(
    {
        "trial": schema.whole(),
        "count": schema.whole(1),
        "temperature": schema.number(0, 1e6),
        "networks": schema.whole(1, MOST),
        "notation": schema.text(100_000),
        "recipe": schema.mapping(schema.anything),
    },
    others=True,
)
_FACTS = schema.record(
    {
        "space": schema.text(),
        "mean": schema.one_of(tuple(_WORDS)),
        "temperature": schema.number(0, 1e6),
        "members": schema.items(_MEMBER, 1, MOST),
    },
    others=True,
)
_SELECTION = schema.record(
    {"selected_by": schema.text(), "candidates": schema.whole(1), "examples": schema.whole(1)}
)
_TRIALS = schema.items(schema.whole(), 0, MOST)


def check(value: object, path: str) -> None:
    """Refuse facts about an ensemble that `metrics.json` cannot have.

    Raises:
        ValueError: a field is missing or has a wrong value.
    """
    _FACTS(value, path)
    assert isinstance(value, Mapping)
    if "selection" in value:
        _SELECTION(value["selection"], f"{path}.selection")
    if "trained_on_everything" in value:
        _TRIALS(value["trained_on_everything"], f"{path}.trained_on_everything")


def title(metrics: Mapping[str, Any], space: str) -> str:
    """The name of the network, from that of its space."""
    return f"Ensemble of {metrics['ensemble']['space']}" if "ensemble" in metrics else space


def paragraphs(metrics: Mapping[str, Any]) -> list[str]:
    """Plain words on an ensemble: its networks, their mean, and how they were selected."""
    if "ensemble" not in metrics:
        return []
    facts = metrics["ensemble"]
    members = facts["members"]
    networks = sum(member["networks"] for member in members)
    folds = members[0]["networks"]
    parts = f", {folds} of each: one for each fold of the data" if folds > 1 else ""
    sentences = [
        f"It is an ensemble of {counted(networks, 'network')} of {counted(len(members), 'trial')}{parts}."
        if networks > 1
        else "It is an ensemble of one network: with it no other trial predicted better."
    ]
    sentences.append(f"{_WORDS[facts['mean']]}.")
    own = any(member["temperature"] != 1 for member in members)
    if own:
        sentences.append(
            "The logits of each network are divided by a temperature of its own before."
        )
    if facts["temperature"] != 1:
        sentences.append(f"The logits of the mean are divided by {plain(facts['temperature'])}.")
    if own or facts["temperature"] != 1:
        sentences.append("So probabilities are as often right as they say.")
    found = [" ".join(sentences)]
    if "selection" in facts and "retraining_seed" not in metrics:
        found.append(_selection(facts["selection"], folds, tested=bool(metrics["test"])))
        if again := facts.get("trained_on_everything"):
            found.append(
                f"The networks of {counted(len(again), 'trial')} ({', '.join(map(str, again))}) were then "
                f"trained again, on training and validation data together; the validation scores are those "
                f"before."
            )
    return found


def _selection(selection: Mapping[str, Any], folds: int, *, tested: bool) -> str:
    held = (
        "each made by the networks that had not learned from the example"
        if folds > 1
        else "of the validation split"
    )
    return (
        f"The trials were selected among {selection['candidates']:,} by the {selection['selected_by']} "
        f"of their mean prediction for {counted(selection['examples'], 'example')}, {held} (Caruana et "
        f"al., ICML 2004). The validation scores are of those predictions, so they may be a little "
        f"better than on new examples{'; the test scores are of the ensemble itself' * tested}."
    )


def architectures(metrics: Mapping[str, Any]) -> str:
    """A table of the trials, their weights and architectures."""
    members = metrics["ensemble"]["members"]
    total = sum(member["count"] for member in members)
    rows = [
        f"| {member['trial']} | {member['count'] / total:.1%} | {member['networks']} | "
        f"`{visible(member['notation']).replace('|', chr(92) + '|')}` |"
        for member in members
    ]
    return "\n".join(["| trial | weight | networks | architecture |", "|---|---|---|---|", *rows])
