"""References to search spaces: every text has one reading, and is written back."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces import SpaceReference, load

identifiers = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
words = st.text(st.characters(categories=("L", "N"), include_characters="_-./ "), max_size=8)
scalars = (
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | words.map(lambda w: f"s{w}").filter(lambda w: not w.endswith(".py"))
)
registered = st.builds(
    lambda name, settings: SpaceReference(name=name, settings=tuple(settings.items())),
    identifiers.filter(lambda name: name not in ("fixed", "ensemble")),
    st.dictionaries(identifiers, scalars, max_size=3),
)
files = st.builds(
    lambda folder, stem, variable: SpaceReference(
        file=Path(folder) / f"{stem}.py", variable=variable
    ),
    words,
    words,
    identifiers,
)
architectures = st.text(min_size=1) | st.just('mlp:{"layers":[]}')


@st.composite
def references(draw):
    text = str(draw(registered | files))
    text = f"fixed:{text}:{draw(architectures)}" if draw(st.booleans()) else text
    return f"ensemble:{text}" if draw(st.booleans()) else text


@given(references())
@example("fixed:a.py:b:x.py:y")
@example("fixed:mlp:x.py:y:z")
@example("fixed:/a:b/c.py:d:e")
@example("a:b.py:c")
@example("a.py:b.py:c")
def test_text_round_trips(text):
    reference = SpaceReference.parse(text)
    assert SpaceReference.parse(str(reference)) == reference
    assert str(SpaceReference.parse(str(reference))) == str(reference)


@given(registered | files)
def test_values_round_trip(reference):
    assert SpaceReference.parse(str(reference)) == reference


@given(registered | files, architectures)
def test_fixed_spaces_nest_a_reference(reference, architecture):
    fixed = SpaceReference.parse(f"fixed:{reference}:{architecture}")
    assert fixed.architecture == architecture
    assert (fixed.name, fixed.settings) == (reference.name, reference.settings)
    assert (fixed.file, fixed.variable) == (reference.file, reference.variable)


def test_the_parts_of_each_form():
    assert SpaceReference.parse("mlp") == SpaceReference(name="mlp")
    assert SpaceReference.parse("mlp:a=1,b=True,c=1e-3,d=x").settings == (
        ("a", 1),
        ("b", True),
        ("c", 0.001),
        ("d", "x"),
    )
    passed = SpaceReference.parse("object:SearchSpace")
    assert (passed.kind, str(passed), passed.absolute()) == ("passed", "object:SearchSpace", passed)
    with pytest.raises(ValueError, match="search space object:SearchSpace: a program passed it as"):
        load("object:SearchSpace")
    in_file = SpaceReference.parse("folder/mine.py:space")
    assert (in_file.kind, in_file.file, in_file.variable) == (
        "file",
        Path("folder/mine.py"),
        "space",
    )
    fixed = SpaceReference.parse("fixed:resnet:stages=3:some:text")
    assert (fixed.kind, fixed.name, fixed.architecture) == ("registered", "resnet", "some:text")
    assert SpaceReference.parse("fixed:folder/mine.py:space:x").file == Path("folder/mine.py")
    assert SpaceReference.parse("fixed:mlp:a.py:b").file is None


@pytest.mark.parametrize(
    "text",
    ["fixed:", "fixed:mlp", "fixed:mlp:", "fixed:a.py:b", "a.py", "a.py:b c", "mlp:"],
)
def test_texts_without_a_reading_are_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"^want [^\n]*, got [^\n]*$"):
        SpaceReference.parse(text)


def test_a_module_is_code_and_a_setting_without_its_value_is_refused():
    reference = SpaceReference.parse("my_package.spaces:space")
    assert (reference.kind, reference.module, reference.variable) == (
        "module",
        "my_package.spaces",
        "space",
    )
    assert str(reference) == "my_package.spaces:space"
    with pytest.raises(ValueError, match="want mlp:setting=value"):
        load("mlp:x")
    with pytest.raises(ValueError, match=r"no_such_package.*cannot be imported"):
        load("no_such_package.spaces:space")


def test_absolute_references_do_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(SpaceReference.parse("mine.py:space").absolute()) == f"{tmp_path}/mine.py:space"
    assert (
        str(SpaceReference.parse("fixed:mine.py:space:./a//b").absolute())
        == f"fixed:{tmp_path}/mine.py:space:./a//b"
    )
    assert str(SpaceReference.parse("mlp:a=1").absolute()) == "mlp:a=1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.py:space", "folder/b.py:space", True),
        ("a.py:space", "a.py:other", False),
        ("a.py:space", "mlp", False),
        ("mlp", "mlp", True),
        ("mlp:a=1", "mlp:a=2", False),
        ("fixed:a.py:space:x", "fixed:b.py:space:x", True),
        ("fixed:a.py:space:x", "fixed:b.py:space:y", False),
        ("fixed:a.py:space:x", "a.py:space", False),
        ("ensemble:a.py:space", "ensemble:b.py:space", True),
        ("ensemble:a.py:space", "a.py:space", False),
    ],
)
def test_same_but_for_place(one, other, same):
    assert SpaceReference.parse(one).same_but_for_place(SpaceReference.parse(other)) is same
