"""Charts as SVG in the colours of the page, so that they follow its light or dark theme."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, log10

from nas.analysis.explanation.importance import Importance
from nas.core.numbers import short
from nas.core.trial import Trial
from nas.views.html.markup import Html, element, text

WIDTH, HEIGHT = 720.0, 420.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 20.0, 50.0
BAR = 26.0  # height of a row of bars


class Axes:
    """Where values are on the picture.

    Args:
        x: Lowest and highest value, on a logarithmic scale if `log`.
        y: Likewise, always linear.
        log: The scale of x.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float], *, log: bool) -> None:
        self._log = log
        ends = tuple(log10(value) for value in x) if log else x
        spare_x = 0.05 * (ends[1] - ends[0]) or 0.5
        spare_y = 0.05 * (y[1] - y[0]) or 0.05
        self._x = (ends[0] - spare_x, ends[1] + spare_x)
        self._y = (y[0] - spare_y, y[1] + spare_y)

    def x(self, value: float) -> float:
        """In pixels from the left."""
        at = log10(value) if self._log else value
        share = (at - self._x[0]) / (self._x[1] - self._x[0])
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """In pixels from the top."""
        share = (value - self._y[0]) / (self._y[1] - self._y[0])
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def frame(self, label_x: str, label_y: str) -> Iterator[Html]:
        """Grid lines, numbers and labels."""
        for value in self._ticks_x():
            x = self.x(value)
            yield element("line", x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="grid")
            yield element(
                "text", text(short(value)), x=x, y=HEIGHT - BOTTOM + 18, text_anchor="middle"
            )
        for value in _round_numbers(*self._y):
            y = self.y(value)
            yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
            yield element("text", text(f"{value:.1%}"), x=LEFT - 8, y=y + 4, text_anchor="end")
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield element("text", text(label_x), x=middle, y=HEIGHT - 8, text_anchor="middle")
        yield element("text", text(label_y), x=LEFT, y=TOP - 6)

    def _ticks_x(self) -> list[float]:
        if not self._log:
            return _round_numbers(*self._x)
        low, high = self._x
        steps = (1, 2, 5) if high - low < 2 else (1,)
        every = [s * 10.0**e for e in range(floor(low), ceil(high) + 1) for s in steps]
        return [value for value in every if low <= log10(value) <= high] or [
            float(f"{10**at:.2g}") for at in (low + 0.1 * (high - low), high - 0.1 * (high - low))
        ]


def front_chart(trials: Sequence[Trial], front: Sequence[Trial], baselines: Sequence[int]) -> Html:
    """Accuracy versus parameters; each mark has the number of its trial as `data-trial`.

    A circle for a trial, a square on the front, a diamond for a baseline.
    """
    sizes = [float(t.scores["parameters"]) for t in trials]
    accuracies = [t.scores["accuracy"] for t in trials]
    axes = Axes((max(1.0, min(sizes)), max(sizes)), (min(accuracies), max(accuracies)), log=True)
    on_front, known = {t.number for t in front}, set(baselines)
    points = [(axes.x(t.scores["parameters"]), axes.y(t.scores["accuracy"])) for t in front]
    marks = [
        _mark(axes, t, t.number in on_front, t.number in known)
        for t in sorted(trials, key=lambda t: (t.number in on_front, t.number in known))
    ]
    path = "".join(f"M{x},{y}" if i == 0 else f"H{x}V{y}" for i, (x, y) in enumerate(points))
    line = element("path", d=path, class_="front-line")
    return _picture(
        "accuracy versus parameters",
        HEIGHT,
        *axes.frame("parameters", "validation accuracy"),
        line,
        *marks,
        id="front",
    )


def _mark(axes: Axes, trial: Trial, front: bool, baseline: bool) -> Html:
    x, y = axes.x(trial.scores["parameters"]), axes.y(trial.scores["accuracy"])
    r = 7 if front or baseline else 4
    if baseline:
        d = f"M{x},{y - r}L{x + r},{y}L{x},{y + r}L{x - r},{y}Z"
    elif front:
        d = f"M{x - r},{y - r}h{2 * r}v{2 * r}h{-2 * r}Z"
    else:
        d = f"M{x - r},{y}a{r},{r} 0 1,0 {2 * r},0a{r},{r} 0 1,0 {-2 * r},0Z"
    kind = " ".join(
        ["trial", *(["on-front"] if front else []), *(["baseline"] if baseline else [])]
    )
    said = f"trial {trial.number}: {trial.scores['accuracy']:.2%}, {trial.scores['parameters']:,} parameters"
    return element(
        "path", d=d, class_=kind, data_trial=trial.number, tabindex=0, role="img", aria_label=said
    )


def progress_chart(steps: Sequence[int], lines: Mapping[str, Sequence[float]]) -> Html:
    """Shares, 0..1, after so many trials; each line has its own dashes and its name at its end."""
    values = [value for line in lines.values() for value in line]
    axes = Axes((steps[0], steps[-1]), (min(values), max(values)), log=False)
    drawn: list[Html] = []
    for number, (name, line) in enumerate(lines.items()):
        points = zip(steps, line, strict=True)
        d = "".join(
            f"{'L' if i else 'M'}{axes.x(step)},{axes.y(value)}"
            for i, (step, value) in enumerate(points)
        )
        drawn.append(element("path", d=d, class_=f"line line-{number}"))
        end = axes.y(line[-1]) - 8
        drawn.append(element("text", text(name), x=axes.x(steps[-1]) - 4, y=end, text_anchor="end"))
    return _picture("how the search went", HEIGHT, *axes.frame("trials", ""), *drawn)


def bars(shares: Mapping[str, Importance], top: int) -> Html:
    """Importance, the most important decisions first, with their intervals."""
    shown = list(shares.items())[:top]
    most = max((item.high or item.share for _, item in shown), default=0.0) or 1.0
    start, scale = 200.0, (WIDTH - 290) / most
    drawn: list[Html] = []
    for row, (path, item) in enumerate(shown):
        y = row * BAR
        name = path if len(path) <= 28 else f"{path[:27]}…"
        drawn += [
            element("text", element("title", text(path)), text(name), x=0, y=y + 17),
            element(
                "rect",
                x=start,
                y=y + 5,
                width=round(item.share * scale, 1),
                height=14,
                class_="bar",
            ),
        ]
        end = item.share
        if item.low is not None and item.high is not None:
            end = item.high
            x1, x2 = start + item.low * scale, start + item.high * scale
            drawn.append(element("path", d=f"M{x1:.1f},{y + 12}H{x2:.1f}", class_="interval"))
        said = text(f"{item.share:.1%}")
        drawn.append(element("text", said, x=round(start + end * scale + 8, 1), y=y + 17))
    return _picture("importance of decisions", BAR * len(shown) + 6, *drawn)


def _picture(label: str, height: float, *children: Html, **attributes: object) -> Html:
    box = f"0 0 {WIDTH:g} {height:g}"
    return element("svg", *children, viewBox=box, role="group", aria_label=label, **attributes)


def _round_numbers(low: float, high: float) -> list[float]:
    """Four to nine numbers from `low` to `high`, with few digits."""
    step = 10.0 ** floor(log10((high - low) / 4))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (step * factor) >= 4)
    return [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
