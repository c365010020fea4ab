"""Ranks of a supernet against those of members trained from scratch.

A supernet may look finished and rank nothing. So some of its members are trained by themselves, by the
recipe of the search, and the ranks are compared by Kendall's tau, with an interval after Fieller,
Hartley & Pearson, "Tests for Rank Correlation Coefficients I", Biometrika 1957.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import atanh, sqrt, tanh
from random import Random
from time import perf_counter

from scipy.stats import kendalltau

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators.job import Job, Workspace
from nas.evaluators.training import Training
from nas.runs.control.supernet import Compared, SupernetFacts, read_facts, write_facts
from search_spaces import Architecture
from trainers import Dataset

_POOL = 8  # times as many members are scored as are trained, so that their scores are spread out
_FEWEST = 5  # members whose ranks have an interval
_DRAWS = 20  # draws for each member of the pool, until one is new

Score = Callable[[Architecture], float]  # the larger, the better


def compare(workspace: Workspace, data: Dataset, score: Score, members: int) -> SupernetFacts:
    """Train members from scratch and compare their ranks; what was trained before is not repeated.

    Args:
        workspace: The workspace of the search; its folder keeps the comparison.
        data: The data, on the device.
        score: The score of a member by the supernet.
        members: Number of members, or fewer where no more are within the limits.

    Raises:
        ValueError: there are too few members to compare.
        TimeUp: the budget of the search is spent; the members that were trained are kept.
    """
    before = read_facts(workspace.folder)
    if before.tau is not None:
        return before
    known = {one.architecture: one for one in before.compared}
    trained = Training(
        workspace.space, data, fixed={"epochs": workspace.epochs}, seed=workspace.seed
    )
    compared: list[Compared] = []
    seconds = before.seconds
    chosen = _spread(workspace, score, members)
    if len(chosen) < _FEWEST:
        raise ValueError(
            f"supernet: want at least {_FEWEST} members within the limits to compare its ranks with "
            f"trainings, got {len(chosen)}: allow more, or set trust=0"
        )
    for number, (architecture, its) in enumerate(chosen):
        text = str(architecture)
        if text not in known:
            workspace.check_budget()
            start = perf_counter()
            job = Job(number, Proposal(Configuration.of(architecture)))
            accuracy = trained.evaluate(job)["accuracy"]
            known[text] = Compared(architecture=text, supernet=its, trained=accuracy)
            seconds += perf_counter() - start
        compared.append(known[text])
        so_far = replace(before, compared=tuple(known.values()), seconds=seconds)
        write_facts(workspace.folder, so_far)
        workspace.notify(
            f"supernet: member {number + 1} of {len(chosen)} from scratch: accuracy {known[text].trained:.3f}"
        )
    found = replace(agreement(compared), seconds=seconds, losses=before.losses)
    write_facts(workspace.folder, found)
    return found


def agreement(compared: Sequence[Compared]) -> SupernetFacts:
    """Kendall's tau (b) of two rankings with its 95 % interval; 0 where a ranking is all ties."""
    tau = kendalltau(
        [one.supernet for one in compared], [one.trained for one in compared]
    ).statistic
    tau = max(-1.0, min(1.0, float(tau))) if tau == tau else 0.0
    half = 1.96 * sqrt(0.437 / (len(compared) - 4))
    centre = atanh(max(-0.999, min(0.999, tau)))
    return SupernetFacts(
        compared=tuple(compared), tau=tau, low=tanh(centre - half), high=tanh(centre + half)
    )


def _spread(workspace: Workspace, score: Score, members: int) -> list[tuple[Architecture, float]]:
    """Random members whose scores are evenly spread among those of random members."""
    joint, rng = workspace.joint, Random(f"{workspace.seed}/trust")
    assert joint is not None, "it is compared before the first trial"
    pool: dict[Architecture, float] = {}
    for _ in range(_DRAWS * _POOL * members):
        architecture = joint.sample(rng).architecture
        if architecture not in pool:
            try:
                pool[architecture] = score(architecture)
            except ValueError:  # it is in no supernet
                continue
        if len(pool) == _POOL * members:
            break
    ranked = sorted(pool.items(), key=lambda item: (item[1], str(item[0])))
    if len(ranked) <= members:
        return ranked
    return [ranked[round(n * (len(ranked) - 1) / (members - 1))] for n in range(members)]
