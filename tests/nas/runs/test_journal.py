"""The journal against kills, torn lines and bit flips."""

import resource
import signal
import subprocess
import sys
from random import Random

import pytest

from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.runs.journal import Journal
from search_spaces import Record, get

SPACE = get("nasbench201")


def trial(number):
    rng = Random(number)
    if number % 3 == 2:
        scores, failure = {"parameters": 5}, Failure("diverged", "loss is nan", "é\n✓")
    else:
        scores, failure = {"accuracy": rng.random(), "parameters": 5}, None
    return Trial(
        number=number,
        proposal=Proposal(
            Configuration.of(SPACE.sample(rng), Record({"learning_rate": rng.random()})), (number,)
        ),
        recipe={"epochs": 3, "learning_rate": 0.1},
        scores=scores,
        failure=failure,
        curve=({"number": 1, "loss": rng.random()},),
        weights_sha256="ab" * 32,
        measured={"seconds": 1.25},
    )


@pytest.fixture
def written(tmp_path):
    journal = Journal(tmp_path / "trials.jsonl")
    for number in range(6):
        journal.append(trial(number))
    journal.close()
    return tmp_path / "trials.jsonl"


def test_trials_round_trip(written):
    assert list(Journal(written)) == [trial(n) for n in range(6)]
    assert list(Journal(written.with_name("absent"))) == []


def test_a_cut_at_every_byte_of_the_last_two_lines(written):
    """Recovers to the last whole line, and goes on to the same journal."""
    whole = written.read_bytes()
    start = len(b"".join(whole.splitlines(keepends=True)[:4]))
    for cut in range(start, len(whole)):
        written.write_bytes(whole[:cut])
        kept = list(Journal(written))
        assert kept == [trial(n) for n in range(whole[:cut].count(b"\n"))]
        journal = Journal(written)
        for number in range(len(kept), 6):
            journal.append(trial(number))
        journal.close()
        assert written.read_bytes() == whole


def test_flipped_bits_are_noticed(written):
    """Every one either names the line, or tears the last line off."""
    whole = written.read_bytes()
    rng = Random(0)
    for _ in range(1000):
        position, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        damaged = bytearray(whole)
        damaged[position] ^= bit
        written.write_bytes(damaged)
        line = whole[:position].count(b"\n") + 1
        if position == len(whole) - 1:
            assert len(list(Journal(written))) == 5
            continue
        with pytest.raises(ValueError, match="restore it from a copy") as error:
            list(Journal(written))
        assert f", line {line}: " in str(error.value)
        assert "\n" not in str(error.value)
        assert written.read_bytes() == damaged


def test_lines_that_are_missing_or_swapped_are_noticed(written):
    lines = written.read_bytes().splitlines(keepends=True)
    for damaged in (lines[:2] + lines[3:], [lines[1], lines[0], *lines[2:]], lines[:1] + lines):
        written.write_bytes(b"".join(damaged))
        with pytest.raises(ValueError, match="want trial"):
            list(Journal(written))


def test_a_full_disk_keeps_what_is_there(written):
    before = written.read_bytes()
    journal = Journal(written)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(OSError, match=r"trials\.jsonl"):
            journal.append(trial(6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.close()
    assert written.read_bytes() == before


WRITER = """
import sys
from pathlib import Path
from nas.runs.journal import Journal
from tests.nas.runs.test_journal import trial
journal = Journal(Path(sys.argv[1]))
for number in range(len(list(journal)), 100_000):
    journal.append(trial(number))
    print(number, flush=True)
"""


def test_a_kill_while_writing_loses_nothing_that_was_recorded(tmp_path):
    path = tmp_path / "trials.jsonl"
    for attempt in range(4):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            said = [writer.stdout.readline() for _ in range(20 + 7 * attempt)]
            writer.kill()
            said += writer.stdout.readlines()
        recorded = list(Journal(path))
        assert len(recorded) > int(said[-1])
        assert recorded[-1] == trial(recorded[-1].number)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": True}, "trial.number: want a whole number from 0, got True"),
        ({"scores": []}, "trial.scores: want an object, got list"),
        ({"extra": 1}, "trial: want the fields number, .* got 'extra' too"),
        ({"failure": {"cause": "no"}}, "trial.failure: want the field 'message', got none"),
        (
            {"failure": {"cause": "boredom", "message": "", "traceback": ""}},
            "trial.failure.cause: want one of out-of-memory, .* got 'boredom'",
        ),
    ],
)
def test_fields_that_are_not_a_trials(change, message):
    with pytest.raises(ValueError, match=message):
        Trial.from_dict(trial(0).to_dict() | change)
