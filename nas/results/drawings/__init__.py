"""Architectures drawn: `describe` says what there is to see, `text` and `figure` show it."""

from nas.results.drawings.description import Cell as Cell
from nas.results.drawings.description import Change as Change
from nas.results.drawings.description import Drawing as Drawing
from nas.results.drawings.description import describe as describe
from nas.results.drawings.stages import Row as Row
from nas.results.drawings.stages import Stage as Stage
