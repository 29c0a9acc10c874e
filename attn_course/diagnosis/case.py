"""What findings are made from."""

from dataclasses import dataclass

from attn_course.diagnosis.record import Record
from attn_course.diagnosis.report import Block, Gradients, Layer
from attn_course.diagnosis.tables import Table
from attn_course.diagnosis.trials.tried import Trials


@dataclass(frozen=True)
class Case:
    """The records as they were watched, and the numbers of the report that is being made."""

    records: tuple[Record, ...]
    tables: tuple[Table, ...]  # one a layer, as `layers`
    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...]
    gradients: tuple[Gradients, ...]
    unsound: tuple[str, ...] = ()  # parameters that hold NaN or infinity
    trials: Trials | None = None  # what came of taking things away; None: nothing was tried
