"""Drawings of architectures: `describe` makes one as data, `text` and `figure` show it."""

from nas.views.drawings.description import Cell as Cell
from nas.views.drawings.description import Drawing as Drawing
from nas.views.drawings.description import describe as describe
from nas.views.drawings.stages import Row as Row
from nas.views.drawings.stages import Stage as Stage
