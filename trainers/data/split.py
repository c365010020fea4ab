"""Drawing examples so that every class has its share: scikit-learn's draw, number for number.

It is written out since importing scikit-learn takes as long as half of torch, in every process that
reads data; and since the split of a data set is to be the same in every version of it.
"""

import numpy as np
import numpy.typing as npt

from trainers.data.sources.source import Labels

Counts = npt.NDArray[np.intp]


def stratified(labels: Labels, count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which `count` of the examples are drawn, bool [N].

    They are the test half of `StratifiedShuffleSplit(1, test_size=count, random_state=seed)`.

    Args:
        labels: int64 [N], each from 0 to the largest at least twice.
        count: From the number of classes to N less that number.
        seed: 0 to 2**32 - 1.
    """
    rng = np.random.RandomState(seed)  # its numbers never change, as numpy has promised
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    sizes = np.array([len(members) for members in by_class])
    kept = _shares(sizes, len(labels) - count, rng)
    _shares(sizes - kept, count, rng)  # all that is left; only what it draws is needed
    drawn = np.zeros(len(labels), bool)
    for members, keep in zip(by_class, kept, strict=True):
        drawn[members[rng.permutation(len(members))[keep:]]] = True
    return drawn


def _shares(sizes: Counts, count: int, rng: np.random.RandomState) -> Counts:
    """`count` in proportion to `sizes`, rounded down; the largest remainders get what is over.

    Among equal remainders it is drawn who does.
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
