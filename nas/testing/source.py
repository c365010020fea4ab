"""The contract of data sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nas.testing.clauses import (
    check_clauses,
    completes,
    global_generators_untouched,
    name_of,
    other_global_seeds,
    require,
)

if TYPE_CHECKING:
    from torch import Tensor

    from trainers import Dataset
    from trainers.data.dataset import Split

SEEDS = (0, 0, 1)
PARTS = ("train", "validation", "test")
CLOSE = 1e-4  # relative error of means and deviations in float32

# Shape letters: N examples, C channels, H height, W width, D features, L length, K classes or
# labels, T targets.


def check_source(load: Callable[[int], Dataset]) -> None:
    """Check that a source of data keeps the contract of `trainers.data.dataset.Dataset`.

        nas.testing.check_source(lambda seed: trainers.load("my.csv", target="y", seed=seed))

    Clauses:

    - Each split has examples: inputs of one shape, uint8 [N,C,H,W], or finite float32 [N,D] or
      [N,C,L]; targets of the type and range of the task; weights float32 [N] of at least 0, and of no
      split alone that is not trained on.
    - Names of outputs are different texts; each class occurs in the training split.
    - Means and deviations are those of the training split: of inputs, unless a table's preprocessing
      has scaled them, and of the targets of a regression.
    - Notes are texts of one line, and there is one on validation and one on test.
    - The same seed gives the same data, whatever the global generators of random, numpy and torch are,
      and these are left as they were.
    - The test split is the same for every seed, and so are training and validation together; where
      validation is split off, another seed has another fingerprint.
    - No example is in two splits, if those of the training split are all different.

    Args:
        load: A function of the seed of the validation split, at least 0, that returns the data set.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    name = name_of(load)
    name = "the source" if name == "<lambda>" else name
    with completes(name, "load the data"):
        load(SEEDS[0])  # imports may draw random numbers
    with global_generators_untouched(name):
        first = _loaded(name, load, SEEDS[0])
    with other_global_seeds(), global_generators_untouched(name):
        again, other = (_loaded(name, load, seed) for seed in SEEDS[1:])
    check_clauses(name, CLAUSES_OF_ONE, name, first)
    check_clauses(name, CLAUSES_OF_SEEDS, name, (first, again, other))


def _loaded(name: str, load: Callable[[int], Dataset], seed: int) -> Dataset:
    from trainers import Dataset

    with completes(name, f"load the data with seed {seed}"):
        data = load(seed)
    require(isinstance(data, Dataset), name, f"gives {data!r:.80}: want a trainers.Dataset")
    return data


def _splits(data: Dataset) -> dict[str, Split]:
    return {"train": data.train, "validation": data.validation, "test": data.test}


# -- the clauses -------------------------------------------------------------------------------


def _names_differ(name: str, data: Dataset) -> None:
    names = data.targets.names
    require(
        all(isinstance(n, str) and n for n in names) and len(set(names)) == len(names),
        name,
        f"names its outputs {names!r:.200}: want different texts",
    )
    least = 2 if data.targets.task in ("classification", "segmentation") else 1
    require(
        data.targets.outputs >= least,
        name,
        f"has {data.targets.words}: want at least {least}",
    )


def _inputs_are_like_each_other(name: str, data: Dataset) -> None:
    import torch

    shape = data.input_shape
    kinds = {1: torch.float32, 2: torch.float32, 3: torch.uint8}
    for part, split in _splits(data).items():
        inputs = split.inputs
        require(len(split) > 0, name, f"has no examples in {part}")
        require(
            len(shape) in kinds and tuple(inputs.shape) == (len(split), *shape),
            name,
            f"has inputs {list(inputs.shape)} for {len(split)} targets in {part}: want "
            f"{[len(split), *shape]}, vectors [N,D], sequences [N,C,L] or images [N,C,H,W]",
        )
        require(
            inputs.dtype == kinds[len(shape)],
            name,
            f"has inputs {list(inputs.shape)} of {inputs.dtype} in {part}: want {kinds[len(shape)]}",
        )
        require(
            inputs.dtype == torch.uint8 or bool(inputs.isfinite().all()),
            name,
            f"has inputs in {part} that are not finite",
        )
        require(
            split.inputs.device.type == split.targets.device.type == "cpu",
            name,
            f"puts {part} on {split.targets.device}: want the CPU",
        )


def _targets_are_those_of_the_task(name: str, data: Dataset) -> None:
    import torch

    task, outputs, (height, width) = data.targets.task, data.targets.outputs, (0, 0)
    if data.targets.dense:
        height, width = data.input_shape[-2:]
    types = {
        "classification": (torch.int64, ()),
        "multilabel": (torch.float32, (outputs,)),
        "regression": (torch.float64, (outputs,)),
        "segmentation": (torch.uint8, (height, width)),
    }
    kind, shape = types[task]
    for part, split in _splits(data).items():
        targets = split.targets
        require(
            targets.dtype == kind and tuple(targets.shape) == (len(split), *shape),
            name,
            f"has targets {targets.dtype} {list(targets.shape)} in {part}: want {kind} "
            f"{[len(split), *shape]} for {task}",
        )
        allowed = {
            "classification": (targets >= 0) & (targets < outputs),
            "multilabel": (targets == 0) | (targets == 1),
            "regression": targets.isfinite(),
            "segmentation": (targets < outputs) | (targets == 255),
        }[task]
        require(
            bool(allowed.all()),
            name,
            f"has targets in {part} that {task} does not allow, such as "
            f"{targets[~allowed].flatten()[:1].tolist()}",
        )
    if task == "classification":
        occurring = set(data.train.targets.tolist())
        lacking = [n for number, n in enumerate(data.targets.names) if number not in occurring]
        require(not lacking, name, f"has no training example of {', '.join(lacking[:3])}")


def _weights_are_allowed(name: str, data: Dataset) -> None:
    import torch

    splits = _splits(data)
    weighted = [part for part, split in splits.items() if split.weights is not None]
    require(
        not weighted or "train" in weighted,
        name,
        f"has weights in {', '.join(weighted)} and none in train",
    )
    for part, split in splits.items():
        if (weights := split.weights) is not None:
            require(
                weights.dtype == torch.float32
                and weights.shape == (len(split),)
                and bool((weights.isfinite() & (weights >= 0)).all()),
                name,
                f"has weights {weights.dtype} {list(weights.shape)} in {part}: want float32 "
                f"[{len(split)}] of at least 0",
            )


def _scales_are_of_the_training_split(name: str, data: Dataset) -> None:
    import torch

    inputs = data.train.inputs.double()
    axes = [axis for axis in range(inputs.dim()) if axis != 1]
    std, mean = torch.std_mean(inputs, dim=axes, correction=0)
    std = torch.where(std > 0, std, 1.0)
    if data.table is not None:
        mean, std = torch.zeros_like(mean), torch.ones_like(std)
    for words, found, wanted in (("mean", data.mean, mean), ("std", data.std, std)):
        require(
            found.dtype == torch.float32 and _close(found, wanted),
            name,
            f"has {words} {_listed(found)} of inputs: want {_listed(wanted)}, float32, that of the "
            f"training split",
        )
    if data.targets.task == "regression":
        std_T, mean_T = torch.std_mean(data.train.targets, dim=0, correction=0)
        std_T = torch.where(std_T > 0, std_T, 1.0)
        scale = (("mean", data.targets.mean, mean_T), ("std", data.targets.std, std_T))
        for words, has, wanted in scale:
            found = torch.tensor(has, dtype=torch.float64)
            require(
                _close(found, wanted),
                name,
                f"has {words} {_listed(found)} of targets: want {_listed(wanted)}, that of the "
                f"training split",
            )


def _notes_tell(name: str, data: Dataset) -> None:
    for note in data.notes:
        require(
            isinstance(note, str) and bool(note.strip()) and "\n" not in note,
            name,
            f"notes {note!r:.200}: want a text of one line",
        )
    for part in ("validation", "test"):
        require(
            any(note.startswith(part) for note in data.notes),
            name,
            f"has no note on {part}: want 'given' or 'split off'",
        )


def _no_example_is_in_two_splits(name: str, data: Dataset) -> None:
    counts = {part: _examples(split) for part, split in _splits(data).items()}
    if max(counts["train"].values()) > 1:
        return  # those in two splits may be others that are equal
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        both = len(counts[a].keys() & counts[b].keys())
        require(not both, name, f"has {both} examples of {a} in {b}, too")


def _the_same_seed_gives_the_same_data(name: str, data: Sequence[Dataset]) -> None:
    first, again, _ = data
    require(
        first.fingerprint == again.fingerprint and _facts(first) == _facts(again),
        name,
        f"gives other data a second time with seed {SEEDS[0]}",
    )


def _seeds_draw_validation_alone(name: str, data: Sequence[Dataset]) -> None:
    first, _, other = data
    kept = [(first.test.targets, other.test.targets)]
    if first.table is None:  # another training split scales the columns of a table otherwise
        kept.append((first.test.inputs, other.test.inputs))
    require(all(_equal(a, b) for a, b in kept), name, "has another test split with another seed")
    if first.table is None:
        whole = [_examples(d.train) + _examples(d.validation) for d in (first, other)]
        require(
            whole[0] == whole[1],
            name,
            "has other examples in training and validation together with another seed",
        )
        require(
            first.targets.names == other.targets.names,
            name,
            "has other names of outputs with another seed",
        )
    if "validation given" not in first.notes:
        require(
            other.fingerprint != first.fingerprint,
            name,
            "has the same fingerprint with another seed, though validation is split off",
        )


def _facts(data: Dataset) -> tuple[Any, ...]:
    table = None if data.table is None else data.table.to_dict()
    scale = (data.mean.tolist(), data.std.tolist())
    return data.targets, scale, data.flippable, data.notes, table


def _examples(split: Split) -> Counter[bytes]:
    """Occurrences of each example, inputs and targets together."""
    pairs = zip(split.inputs.numpy(), split.targets.numpy(), strict=True)
    return Counter(x.tobytes() + y.tobytes() for x, y in pairs)


def _equal(a: Tensor, b: Tensor) -> bool:
    import torch

    return torch.equal(a, b)


def _close(found: Tensor, wanted: Tensor) -> bool:
    import torch

    if found.shape != wanted.shape:
        return False
    return torch.allclose(found.double(), wanted.double(), rtol=CLOSE, atol=CLOSE)


def _listed(values: Tensor) -> str:
    return ", ".join(f"{value:.4g}" for value in values.flatten()[:4].tolist())


CLAUSES_OF_ONE = (
    _names_differ,
    _inputs_are_like_each_other,
    _targets_are_those_of_the_task,
    _weights_are_allowed,
    _scales_are_of_the_training_split,
    _notes_tell,
    _no_example_is_in_two_splits,
)
CLAUSES_OF_SEEDS = (
    _the_same_seed_gives_the_same_data,
    _seeds_draw_validation_alone,
)
