"""A search in TensorBoard: always rebuildable from the journal."""

from nas.results.tensorboard.board import Board as Board
from nas.results.tensorboard.board import complete as complete
from nas.results.tensorboard.board import is_complete as is_complete
from nas.results.tensorboard.events import Events as Events
from nas.results.tensorboard.events import picture as picture
from nas.results.tensorboard.subject import Subject as Subject
