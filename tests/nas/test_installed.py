"""A user's own folder `trainers` or `search_spaces` in front of ours: one line, or no harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nas.installed import HOME

SEARCH = """
import nas
run = nas.search(space="mlp", data="digits", trials=2, epochs=1, workers=2, out={out!r})
print(len(run.trials), {{t.completed for t in run.trials}})
"""


@pytest.fixture(params=["trainers", "search_spaces"])
def shadow(request, tmp_path):
    folder = tmp_path / "mine" / request.param
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('the package of the user was run')\n")
    return folder


def run(*arguments, cwd, stdin=None, path=()):
    """Run Python with the toolkit installed behind the folder of the program."""
    behind = os.pathsep.join([*map(str, path), str(HOME)])
    return subprocess.run(
        arguments,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": behind},
    )


def line(shadow):
    return (
        f"{shadow} hides the package {shadow.name} that was installed with nas: rename that "
        f"folder, or run from elsewhere"
    )


PROGRAM = "import nas\nprint(nas.search)\n"


@pytest.mark.parametrize("how", ["script", "-c", "stdin"])
def test_a_program_beside_such_a_folder_ends_in_one_line(how, shadow):
    here = shadow.parent
    (here / "program.py").write_text(PROGRAM)
    done = {
        "script": lambda: run(sys.executable, "program.py", cwd=here),
        "-c": lambda: run(sys.executable, "-c", PROGRAM, cwd=here),
        "stdin": lambda: run(sys.executable, "-", cwd=here, stdin=PROGRAM),  # as in a notebook
    }[how]()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(shadow)}"


def test_modules_are_checked_as_well(shadow):
    program = "from nas.core.trial import Trial\n"
    done = run(sys.executable, "-c", program, cwd=shadow.parent)
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(shadow)}"


def test_a_folder_that_comes_in_front_later_is_found(shadow):
    program = f"import sys, nas\nsys.path.insert(0, {str(shadow.parent)!r})\nnas.search\n"
    done = run(sys.executable, "-c", program, cwd=shadow.parents[1])
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(shadow)}"


def test_a_file_is_named_as_well(tmp_path):
    (tmp_path / "trainers.py").write_text("")
    done = run(sys.executable, "-c", "import nas", cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {tmp_path / 'trainers.py'} hides the package trainers that was installed "
        f"with nas: rename that file, or run from elsewhere"
    )


def test_a_folder_without_code_is_no_package(tmp_path):
    (tmp_path / "trainers").mkdir()
    assert run(sys.executable, "-c", "import nas", cwd=tmp_path).returncode == 0


def test_the_command_ends_with_status_2(shadow):
    done = run(sys.executable, "-m", "nas", "spaces", cwd=shadow.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"nas: {line(shadow)}\n"
    nas = Path(sys.executable).with_name("nas")
    done = run(nas, "spaces", cwd=shadow.parents[1], path=[shadow.parent])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"nas: {line(shadow)}\n"


def test_the_command_does_not_look_in_the_working_directory(shadow):
    nas = Path(sys.executable).with_name("nas")
    done = run(nas, "strategies", cwd=shadow.parent)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shadow", ["search_spaces"], indirect=True)
@pytest.mark.parametrize(
    "moment", [pytest.param("never", marks=pytest.mark.long), "after the import"]
)
def test_workers_use_the_packages_of_their_search(moment, shadow, tmp_path):
    """The folder of the program has such packages, which the search itself does not see."""
    here, out = shadow.parent, str(tmp_path / "run")
    shutil.copytree(shadow, here / "trainers")
    program = SEARCH.format(out=out)
    if moment == "after the import":
        program = program.replace(
            "run =",
            f"import nas.api, search_spaces, trainers, sys; "
            f"sys.path.insert(0, {str(here)!r}); search = nas.api.search\nrun =",
        ).replace("nas.search(", "search(")
    # Without the folder of the program: as for a console script.
    (here / "program.py").write_text(f"import sys; del sys.path[0]\n{program}")
    done = run(sys.executable, "program.py", cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 {True}\n"
