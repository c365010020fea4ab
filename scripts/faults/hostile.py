"""Architectures, runs, checkpoints and bundles from strangers: all refused, nothing executed.

Every refusal is a ValueError of one line, in at most 50 ms of processor time and 50 MB. What is not
refused must be right: it is what was given, to the letter, and all that reads it works.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from random import Random
from time import thread_time
from typing import Any

import hypothesis
from hostile_files import bundles, checkpoints, copied
from hypothesis import strategies as st
from malformed import malformed, parts

import nas
import search_spaces
from faults import Finding
from nas.core.schema import visible
from nas.runs.selection import SELECTIONS
from nas.views.terminal.run import document, overview
from search_spaces import SPACES, Architecture, SearchSpace, Task
from search_spaces.tree.values import thaw
from trainers.checkpoints import weights as checkpoint

MOST_SECONDS, MOST_BYTES = 0.05, 50 * 2**20
GENERATED = {"quick": 150, "full": 10_000}
EVERY = {"quick": 12, "full": 1}  # of the faults that are made systematically
DRAWS = {"quick": 1, "full": 4}  # architectures of each space
TASKS = {1: Task((64,), 10), 2: Task((3, 128), 10), 3: Task((3, 32, 32), 10)}


@dataclass
class Tally:
    """The results of the cases of one kind."""

    kind: str
    refused: int = 0
    taken: int = 0  # they were right after all
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of the slowest refusal
    bytes: int = 0  # of the largest

    def attempt(
        self, what: str, wrong: bool, read: Callable[..., object], *arguments: object
    ) -> None:
        """Have `read` read a case; if it is `wrong` for certain, it must be refused."""
        memory, start = _peak(), thread_time()
        try:
            read(*arguments)
        except ValueError as error:
            self.refused += 1
            seconds = thread_time() - start
            if seconds > MOST_SECONDS:  # a late import, a collection of garbage? not twice
                seconds = min(_again(read, *arguments) for _ in range(3))
            self._measure(what, seconds, _peak() - memory)
            line = str(error)
            if not line or line != visible(line) or len(line) > 2_000:
                self.broken.append(f"{what}: refused in these words: {line[:200]!r}")
        except BaseException as error:
            self.broken.append(f"{what}: {type(error).__name__}: {error}"[:300])
        else:
            self.taken += 1
            if wrong:
                self.broken.append(f"{what}: taken")

    def _measure(self, what: str, seconds: float, size: int) -> None:
        self.seconds, self.bytes = max(self.seconds, seconds), max(self.bytes, size)
        if seconds > MOST_SECONDS or size > MOST_BYTES:
            self.broken.append(f"{what}: {seconds * 1e3:.0f} ms, {size >> 20} MB")

    @property
    def line(self) -> str:
        """The figures."""
        return (
            f"{self.kind}: {self.refused:,} refused, {self.taken:,} right; at most "
            f"{self.seconds * 1e3:.0f} ms and {self.bytes >> 20} MB"
        )


def run(quick: bool, folder: Path) -> Finding:
    """Read everything there is to read, malformed."""
    good = nas.search(
        space="mlp", data="digits", trials=4, epochs=1, max_params=50_000, out=folder / "run"
    )
    mark = folder / "executed"
    size = "quick" if quick else "full"
    tallies = [
        architectures(DRAWS[size], EVERY[size]),
        runs(good, EVERY[size]),
        generated(good, GENERATED[size]),
        weights(good, mark),
        winners(good, mark),
        giants(),
    ]
    lines = [tally.line for tally in tallies]
    broken = [f"{tally.kind}: {case}" for tally in tallies for case in tally.broken]
    if mark.exists():
        broken.insert(0, "something was executed")
    return Finding(held=not broken, lines=(*lines, *broken[:20]))


def architectures(draws: int, every: int) -> Tally:
    """Every fault at every place of members of every space, and of their notations."""
    tally = Tally("architectures")
    for name in SPACES:
        space = search_spaces.get(name)
        for draw in range(draws):
            architecture = space.sample(Random(draw))
            for case in islice(malformed(thaw(architecture.value)), 0, None, every):
                text = f"{name}:{case.text}"
                what = f"{name} {case.path}, {case.fault}"
                tally.attempt(what, case.always, _parsed, space, text)
                tally.attempt(f"{what}, as JSON", case.always, _from_json, space, case.text)
            for text in _misspelt(space.format(architecture), Random(draw)):
                tally.attempt(f"{name} {text[:60]!r}", False, _parsed, space, text)
    return tally


def runs(good: nas.Run, every: int) -> Tally:
    """Every fault at every place of run.json and of trials."""
    tally = Tally("run files")
    for file, text, what, wrong in islice(_run_files(good), 0, None, every):
        tally.attempt(what, wrong, _looked_at, good, file, text)
    return tally


def generated(good: nas.Run, count: int) -> Tally:
    """Documents that hypothesis makes, the same ones every time."""
    tally = Tally("generated")
    spaces = [search_spaces.get(name) for name in SPACES]
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner, max_size=6)
        ),
    )
    header = json.loads((good.path / "run.json").read_text())

    @hypothesis.settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def generate(data: st.DataObject) -> None:
        kind = data.draw(st.integers(0, 3))
        rng, value = Random(data.draw(st.integers(0, 99))), data.draw(values)
        if kind < 2:
            space = data.draw(st.sampled_from(spaces))
            whole = thaw(space.sample(rng).value) if kind else None
            text = json.dumps(_grafted(whole, value, rng))
            named = f"{space.name}:{text}"
            tally.attempt(named, False, _parsed, space, named)
            return
        file = ("run.json", "trials.jsonl")[kind - 2]
        base = header if kind == 2 else rng.choice(good.trials).to_dict()
        text = json.dumps(_grafted(base, value, rng))
        tally.attempt(f"{file}: {text}", False, _looked_at, good, file, text)

    generate()
    return tally


def weights(good: nas.Run, mark: Path) -> Tally:
    """Checkpoints."""
    tally = Tally("checkpoints")
    content = good.weights_path(good.best()).read_bytes()
    for number, (name, write) in enumerate(checkpoints(content, mark)):
        path = mark.with_name(f"checkpoint {number}")
        write(path)
        tally.attempt(name, True, checkpoint.load, path)
        tally.attempt(f"{name}, sealed", True, checkpoint.load_sealed, path)
    return tally


def winners(good: nas.Run, mark: Path) -> Tally:
    """Bundles."""
    tally = Tally("bundles")
    bundle = mark.with_name("bundle")
    good.export(good.best(), bundle)
    nas.load_bundle(bundle)  # what torch loads late is no cost of a refusal
    for name, spoil in bundles(bundle, mark):
        folder = copied(bundle, mark.with_name("hostile bundle"))
        spoil(folder)
        tally.attempt(name, True, nas.load_bundle, folder)
    return tally


def giants() -> Tally:
    """Members of their spaces that nobody could hold: counted, never built."""
    tally = Tally("giants")
    for text, axes in (
        ("nasbench201:channels=1000000", 3),
        ("nasbench101:channels=1000000000", 3),
        ("darts:channels=100000000", 3),
    ):
        space = search_spaces.load(text)
        architecture = space.sample(Random(0))
        assert space.cost(architecture, TASKS[axes]).parameters > 10**10
        tally.attempt(text, True, space.compile, architecture, TASKS[3])
    for name in SPACES:
        space = search_spaces.get(name)
        largest = {1: (10**13,), 2: (10**7, 10**6), 3: (10**5, 10**5, 10**3)}[space.inputs[-1]]
        tally.attempt(f"{name} for {largest}", True, _built, space, largest)
    return tally


def _again(read: Callable[..., object], *arguments: object) -> float:
    """Seconds of processor time that the same refusal takes."""
    start = thread_time()
    with suppress(ValueError):
        read(*arguments)
    return thread_time() - start


def _built(space: SearchSpace, shape: tuple[int, ...]) -> None:
    space.compile(space.sample(Random(0)), Task(shape, 10**13))


def _parsed(space: SearchSpace, text: str) -> None:
    """Read an architecture; whatever is taken is written as it was, and can be counted."""
    architecture = space.parse(text)
    assert architecture in space
    assert space.parse(str(architecture)) == architecture
    assert space.parse(space.format(architecture)) == architecture
    space.cost(architecture, replace(TASKS[space.inputs[-1]], dense=space.dense))


def _from_json(space: SearchSpace, text: str) -> None:
    space.check(Architecture.from_json(f'{{"space": "{space.name}", "value": {text}}}'))


def _run_files(good: nas.Run) -> Iterator[tuple[str, str, str, bool]]:
    """(file, its text, what is wrong with it, whether it is for certain)."""
    header = json.loads((good.path / "run.json").read_text())
    for case in malformed(header):
        wrong = case.always and case.path[:1] != ("made",) and not _is_free(case.path)
        yield "run.json", case.text, f"run.json {case.path}, {case.fault}", wrong
    completed = good.trials[-1].to_dict()
    failed = {**completed, "failure": {"cause": "error", "message": "x", "traceback": "y"}}
    for trial in (completed, failed):
        for case in malformed(trial):
            what = f"trial {case.path}, {case.fault}"
            yield "trials.jsonl", case.text, what, case.always and not _is_free(case.path)


def _is_free(path: tuple[Any, ...]) -> bool:
    """True for parts of a document that may differ between versions of the toolkit.

    Old journals have no stages of a training.
    """
    stages = {"epochs", "resume_from", "root", "start_epoch"}
    free = {"made", "recipe", "measured", "architecture", "hyperparameters", "scores", "curve"}
    free |= {"hypervolume_reference"}  # old ones have that of one cost
    return bool(path) and (path[0] in free | stages or path[0] in ("data", "settings"))


def _looked_at(good: nas.Run, file: str, text: str) -> None:
    """Put `text` in the place of a file of the run, look at the run in every way, and undo it."""
    path = good.path / file
    before = path.read_bytes()
    if file == "trials.jsonl":
        text = _line(text)
    try:
        path.write_text(text, errors="surrogatepass")
        run = nas.open_run(good.path)
        _look(run)
    finally:
        path.write_bytes(before)


def _look(run: nas.Run) -> None:
    if run.trials:
        for select in SELECTIONS:
            run.best(select)
    json.dumps(document(run, run.space))
    for part in overview(run, run.space):
        str(part)


def _line(text: str) -> str:
    """A line of a journal with the checksum it should have."""
    from nas.runs.journal import _digest

    return f'{{"sha256":"{_digest(text)}","trial":{text}}}\n'


def _misspelt(text: str, rng: Random) -> Iterator[str]:
    """A notation with a character less, twice, or another."""
    for _ in range(40):
        at = rng.randrange(len(text))
        other = rng.choice("0129-~|+:[](){}'\",. \x00\n\u0663é￿")
        yield text[:at] + rng.choice(("", text[at] * 2, other, other * 500)) + text[at + 1 :]


def _grafted(whole: Any, value: Any, rng: Random) -> Any:
    """`whole` with `value` at a place of it."""
    copy = json.loads(json.dumps(whole))
    places = [path for path, _ in parts(copy) if path]
    if not places:
        return value
    *way, last = rng.choice(places)
    inside = copy
    for name in way:
        inside = inside[name]
    inside[last] = value
    return copy


def _peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
