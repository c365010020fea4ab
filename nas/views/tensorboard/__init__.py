"""Views of a search in TensorBoard, which can always be rebuilt from the journal."""

from nas.views.tensorboard.board import Board as Board
from nas.views.tensorboard.board import complete as complete
from nas.views.tensorboard.board import is_complete as is_complete
from nas.views.tensorboard.events import Events as Events
from nas.views.tensorboard.events import picture as picture
from nas.views.tensorboard.observer import TensorBoard as TensorBoard
