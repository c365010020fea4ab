"""Stratified splits, equal to those of scikit-learn number for number.

The algorithm is repeated here because importing scikit-learn takes half as long as importing torch,
in every process that reads data, and because a split must stay the same in all later versions.
"""

import numpy as np
import numpy.typing as npt

from trainers.data.sources.source import Labels

Counts = npt.NDArray[np.intp]


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
