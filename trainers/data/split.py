"""Stratified splits, equal to those of scikit-learn number for number.

The algorithm is repeated here because importing scikit-learn takes half as long as importing torch,
in every process that reads data, and because a split must stay the same in all later versions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.sources.source import Labels

TEST_SHARE = 0.2  # of all data, where there is no official test split
TEST_SEED = 0  # the test split is the same whatever the caller's seed is

Counts = npt.NDArray[np.intp]


def draw_test(targets: npt.NDArray[Any], *, least: int | None) -> npt.NDArray[np.bool_]:
    """The test split where there is no official one, bool [N]; see `draw`."""
    return draw(targets, TEST_SHARE, TEST_SEED, least=least)


def draw(
    targets: npt.NDArray[Any],
    share: float,
    seed: int,
    *,
    least: int | None,
    most: int | None = None,
) -> npt.NDArray[np.bool_]:
    """Draw a share of the examples, bool [N]: at least one, or as many as there are classes.

    Args:
        targets: Labels int64 [N], or other targets [N,...].
        share: Share of the examples that may be drawn.
        seed: 0 to 2**32 - 1.
        least: Classes with fewer examples are left out, the others are drawn in equal shares; None
            draws from all examples alike.
        most: Greatest number of examples, unless there are more classes.
    """
    drawn = np.zeros(len(targets), bool)
    eligible = np.arange(len(targets))
    if least is not None:
        eligible = eligible[np.bincount(targets)[targets] >= least]
        if not len(eligible):
            return drawn
    count = round(share * len(eligible))
    count = count if most is None else min(count, most)
    if least is None:
        chosen = np.random.RandomState(seed).permutation(len(targets))[: max(1, count)]
    else:
        _, labels = np.unique(targets[eligible], return_inverse=True)
        chosen = eligible[stratified(labels, max(count, int(labels.max()) + 1), seed)]
    drawn[chosen] = True
    return drawn


def stratified(labels: Labels, count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Draw `count` examples with equal shares of each class; bool [N].

    They are the test split of `StratifiedShuffleSplit(1, test_size=count, random_state=seed)`.

    Args:
        labels: int64 [N], each from 0 to the largest at least twice.
        count: From the number of classes to N less that number.
        seed: 0 to 2**32 - 1.
    """
    rng = np.random.RandomState(seed)  # numpy guarantees that its numbers never change
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    sizes = np.array([len(members) for members in by_class])
    left = _shares(sizes, len(labels) - count, rng)
    _shares(sizes - left, count, rng)  # advances `rng` as scikit-learn does
    drawn = np.zeros(len(labels), bool)
    for members, keep in zip(by_class, left, strict=True):
        drawn[members[rng.permutation(len(members))[keep:]]] = True
    return drawn


def _shares(sizes: Counts, count: int, rng: np.random.RandomState) -> Counts:
    """Divide `count` in proportion to `sizes`: rounded down, then one more for the largest remainders.

    Ties among remainders are broken at random.
    """
    exact = sizes / sizes.sum() * count
    shares = np.floor(exact)
    over = int(count - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if over == 0:
            break
        (equal,) = np.where(remainders == remainder)
        more = min(len(equal), over)
        shares[rng.choice(equal, size=more, replace=False)] += 1
        over -= more
    whole: Counts = shares.astype(np.intp)
    return whole
