"""Objects of a program on their way to the processes that evaluate."""

import pickle
import subprocess
import sys
import threading
import time
from contextlib import closing
from types import ModuleType

import pytest

from nas.evaluators.blueprint import Blueprint
from nas.evaluators.by_value import pack_objects, unpack_objects
from nas.executors.workers import Workers
from nas.installed import is_installed
from nas.runs.resource_limits import ResourceLimits
from nas.testing.faulty import blueprint, proposal
from search_spaces.user_files import load_file_object


def elsewhere(data, *, path=()):
    """The answer of the object `f` in a process that cannot import what this one can."""
    program = (
        f"import pickle, sys; sys.path.extend({list(path)!r}); "
        "print(pickle.load(sys.stdin.buffer)['f'](20))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], input=data, capture_output=True, check=False, env={}
    )
    return (done.stdout or done.stderr).decode().strip().splitlines()[-1]


def test_lambdas_and_functions_of_files_are_sent_by_value(tmp_path):
    (tmp_path / "mine.py").write_text("SHIFT = 1\ndef f(x):\n    return g(x) + SHIFT\ng = abs\n")
    one = 1
    assert elsewhere(pack_objects({"f": lambda x: x + one})) == "21"
    function = load_file_object(f"{tmp_path / 'mine.py'}:f", "evaluator")
    assert elsewhere(pack_objects({"f": function})) == "21"


def test_modules_of_the_project_are_sent_where_they_may_not_be_found(tmp_path, monkeypatch):
    (tmp_path / "a_project.py").write_text("def f(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import a_project

    here = pack_objects({"f": a_project.f})
    assert "ModuleNotFoundError" in elsewhere(here)
    assert elsewhere(here, path=[str(tmp_path)]) == "21"
    assert elsewhere(pack_objects({"f": a_project.f}, whole_project=True)) == "21"
    assert is_installed(pytest)
    assert is_installed(pickle)
    assert is_installed(sys.modules["nas.evaluators"])
    assert not is_installed(a_project)
    assert not is_installed(ModuleType("__main__"))
    assert pack_objects({"f": a_project.f}) == here, "cloudpickle's list of modules is as before"
    del sys.modules["a_project"]


def test_what_cannot_be_sent_is_said_in_one_line():
    lock = threading.Lock()
    made = Blueprint("nas.testing.faulty:make_faulty", {}, {"evaluator": lambda job: lock})
    with pytest.raises(
        ValueError,
        match=r"^evaluator: it cannot be sent to other processes: its variable lock: TypeError: "
        r"cannot pickle '_thread.lock' object; define it in a file and name it "
        r"\(path/to/file.py:NAME\), or evaluate in this process \(executor in-process, workers=1\)",
    ):
        Workers(made, ResourceLimits())
    with pytest.raises(ValueError, match=r"^data: it cannot be sent"):
        pack_objects({"evaluator": abs, "data": lock})


class Unreadable:
    def __reduce__(self):
        return int, ("no\nnumber",)


def test_what_cannot_be_read_there_is_said_in_one_line(tmp_path):
    made = Blueprint(**blueprint(tmp_path).to_dict(), objects={"score": Unreadable()})
    with closing(Workers(made, ResourceLimits())) as workers:
        workers.submit(0, proposal())
        with pytest.raises(
            ValueError,
            match=r"^a worker cannot begin: an object of the search cannot be read: ValueError: inv",
        ):
            workers.wait()
    with pytest.raises(ValueError, match="cannot be read: UnpicklingError"):
        unpack_objects(b"nothing")


@pytest.mark.parametrize("dies", [True, False])
def test_a_worker_that_reads_nothing_holds_nobody_up(tmp_path, monkeypatch, dies):
    """It dies, or hangs, while it imports: long before it reads the 10 MB that it is sent."""
    (tmp_path / "nas.py").write_text(
        "import os, time\nos._exit(3)" if dies else "import time\ntime.sleep(600)"
    )
    from nas.executors import worker_process

    monkeypatch.setattr(worker_process, "HOME", tmp_path)
    made = Blueprint(**blueprint(tmp_path).to_dict(), objects={"score": bytes(10_000_000)})
    start = time.monotonic()
    with closing(Workers(made, ResourceLimits())) as workers:
        workers.submit(0, proposal())
        assert time.monotonic() - start < 5
        if dies:
            with pytest.raises(ChildProcessError, match=r"did not begin: .* exit status 3"):
                workers.wait()
    assert time.monotonic() - start < 30
    assert not any("_send_bytes" in thread.name for thread in threading.enumerate())
