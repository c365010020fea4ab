"""The declaration of a setting: its default, check and help, and its forms in Python and as text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.core import schema
from nas.core.budgets.budget import Budget


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of value, as it is given in Python and on the command line.

    Attributes:
        type: Type of the command's option.
        accepts: Source text of the type that the keyword of `nas.search` accepts.
        parse: Makes the value from what was given in either way; its second argument is the name
            for errors. It raises ValueError.
        text: Writes a value for the command line. A list where the option may be repeated.
    """

    type: Any
    accepts: str
    parse: Callable[[Any, str], Any] = lambda value, _: value
    text: Callable[[Any], Any] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting.

    Attributes:
        form: The kind of its value.
        default: The value where none is given.
        help: Description, for the help of the command and the docstring of `nas.search`.
        group: Heading of the help that it stands under: one of `nas.runs.options.GROUPS`.
        check: Raises ValueError for a value that is not allowed.
        keyword: Keyword of `nas.search`; by default the name of the field that declares it.
        late: True if the default depends on other options: only a value that is given counts.
        flag: Option of `nas search`; by default the keyword with hyphens. ` /--flag` is an option
            that turns off what is on by default, and `--on/--off` a pair of which neither may be given.
    """

    form: Form
    default: Any
    help: str
    group: str
    check: schema.Check = schema.anything
    keyword: str = ""
    late: bool = False
    flag: str = ""

    def parse(self, given: Any, name: str) -> Any:
        """The value, from what was given in Python or on the command line.

        Raises:
            ValueError: it is not one; `name` says whose.
        """
        return None if given is None else self.form.parse(given, name)

    def words(self, value: Any, *, always: bool = False) -> list[str]:
        """The words of the command line that give `value`; none for the default unless `always`."""
        if value == self.default and not always:
            return []
        if isinstance(value, bool):
            on, _, off = self.flag.partition("/")
            return [on if value and on.strip() else off or on]
        text = self.form.text(value)
        texts = text if isinstance(text, list) else [text]
        # As one word: else the next word would be taken for an option if it begins with a hyphen.
        return [
            w for t in texts for w in ([f"{self.flag}={t}"] if t[:1] == "-" else [self.flag, t])
        ]


_KEY = "option"  # in the metadata of a field


def setting(form: Form, *, default: Any = None, keyword: str = "", **declared: Any) -> Any:
    """A field of a dataclass that declares an `Option`; the arguments are those of `Option`."""
    option = Option(form=form, default=default, keyword=keyword, **declared)
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={_KEY: option})
    return dataclasses.field(default=default, metadata={_KEY: option})


def declared(cls: type) -> dict[str, Option]:
    """The options that the fields of a dataclass declare, by the names of the fields."""
    return {
        field.name: named(field.name, field.metadata[_KEY])
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    }


def named(name: str, option: Option) -> Option:
    """`option` with its keyword and its flag, which follow from `name` unless they are given."""
    keyword = option.keyword or name
    flag = option.flag or f"--{keyword.replace('_', '-')}"
    return dataclasses.replace(option, keyword=keyword, flag=flag)


def parse_names(value: Any, name: str) -> tuple[str, ...]:
    """Read names separated by commas, or any iterable of names."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",")) if value.strip() else ()
    if not isinstance(value, list | tuple):
        raise schema.refuse(name, "names", value)
    return tuple(value)


_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_bytes(value: Any, name: str) -> int:
    """Read a number of bytes, or a text such as 500MB or 2GB.

    Raises:
        ValueError: it is something else.
    """
    if type(value) is int:
        return value
    found = isinstance(value, str) and re.fullmatch(
        r"(\d{1,18}(?:\.\d{1,9})?)([KMGT]B|)", value.strip().upper()
    )
    if not found:
        raise ValueError(f"{name}: want a size such as 500MB or 2GB, got {value!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def parse_amounts(value: Any, name: str) -> dict[str, float]:
    """Read a mapping to numbers, or a text such as CPU=1,GPU=0.5.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, Mapping):
        return dict(value)
    amounts = {}
    for part in str(value).split(","):
        key, _, amount = part.partition("=")
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", amount) or not key:
            raise ValueError(f"{name}: want amounts such as CPU=1,GPU=0.5, got {value!r}")
        amounts[key.strip()] = float(amount)
    return amounts


def parse_recipe(value: Any, name: str) -> dict[str, Any]:
    """Read fields of a recipe: a mapping, or a text such as averaging=0.9,flip=random.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, Mapping):
        return dict(value)
    from search_spaces import notation

    return dict(notation.parse(f"{name.strip('-')}:{value}")[1]) if value else {}


def parse_object(value: Any, _: str) -> str:
    """Read a name or a reference: a text or a path. Objects are described before they get here."""
    return str(value)


def parse_limits(value: Any, name: str) -> tuple[str, ...]:
    """Read bounds such as latency_ms<=5: one text, in which commas separate several, or many.

    Raises:
        ValueError: it is something else.
    """
    many = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, str) for one in many):
        raise schema.refuse(name, "limits such as latency_ms<=5", value)
    return tuple(part.strip() for one in many for part in one.split(","))


def parse_budget(value: Any, name: str) -> Budget:
    """Read a budget; see `Budget.parse`.

    Raises:
        ValueError: it is something else.
    """
    try:
        return Budget.parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _sources(value: Any, _: str) -> tuple[str, ...]:
    many = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) for one in many)


def _folders(value: Any, name: str) -> tuple[str, ...]:
    return tuple(part for one in _sources(value, name) for part in one.split(",") if part)


TEXT = Form(str, "str")
UPPER = Form(str, "str", lambda value, _: str(value).upper())
PATH = Form(str, "str | Path", lambda value, _: str(value))
WHOLE = Form(int, "int")
NUMBER = Form(float, "float", text=repr)
FLAG = Form(bool, "bool")
NAMES = Form(str, "str | Sequence[str]", parse_names, ",".join)
SIZE = Form(str, "int | str", parse_bytes)
COUNT = Form(str, 'int | Literal["auto"]')
AMOUNTS = Form(
    str,
    "str | Mapping[str, float]",
    parse_amounts,
    lambda value: ",".join(f"{name}={amount:g}" for name, amount in value.items()),
)
FIELDS = Form(
    str,
    "Any",
    parse_recipe,
    lambda value: ",".join(f"{name}={item}" for name, item in value.items()),
)
SOURCES = Form(list[str], "str | Path | Sequence[str | Path]", _sources, list)
FOLDERS = Form(list[str], "str | Path | Sequence[str | Path]", _folders, list)
OBJECT = Form(str, "Any", parse_object)
OBJECTS = Form(list[str], "Any", _sources, list)
BUDGET = Form(str, "int | str | Sequence[int | str]", parse_budget)
LIMITS = Form(list[str], "str | Sequence[str]", parse_limits, list)
