"""What the doctor found: measures for each layer and head, some rows to look at, and findings in sentences.

A report is plain numbers and words. It keeps no tensor and no model, and goes into JSON and back without loss:

    report = diagnose(record)
    report.findings[0].evidence
    report.layers[2].values["entropy"][7]       # layer 2, head 7
    Report.from_dict(report.to_dict()) == report
"""

from dataclasses import asdict, dataclass, field

FORMAT, EDITION = "attn-course report", 1
SEVERITIES = ("fault", "look", "normal")
SURENESS = ("strong", "likely", "hint")

Numbers = tuple[float | None, ...]  # one a head; None: not measured, or not a finite number


@dataclass(frozen=True)
class Place:
    """Where something is: a layer and perhaps a head, or a block. Numbers count in the report's own lists."""

    layer: int | None = None
    head: int | None = None
    block: int | None = None

    def __str__(self) -> str:
        if self.block is not None:
            return f"block {self.block}"
        if self.layer is None:
            return "the model"
        return f"layer {self.layer}" if self.head is None else f"layer {self.layer}, head {self.head}"


@dataclass(frozen=True)
class Finding:
    """One thing that stands out.

    name      what it is, short and stable: "rank-collapse"
    title     the same in words, for a heading
    severity  "fault": mend it; "look": it may be one; "normal": it looks like a fault and is none
    sure      "strong": follows from what was measured; "likely"; "hint": other causes look alike
    measured  how: "on every row", "on 64 of 210 rows, drawn at random"
    where     the places, the worst first; none: the whole model
    evidence  what was measured, in a sentence with its numbers
    remedy    what to do
    """

    name: str
    title: str
    severity: str
    sure: str
    measured: str
    where: tuple[Place, ...]
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Maps:
    """Some rows of each head's map, of the first text: too few to be the map, enough to look at.

    Neighbouring keys are pooled: a column holds the sum of their weights. So each row still sums to 1 (less what a
    learned sink took).
    """

    rows: tuple[int, ...]  # which queries, by their place in the text
    columns: tuple[int, ...]  # where each column begins; and, last, where the last one ends
    weights: tuple[tuple[Numbers, ...], ...]  # head, row, column
    received: tuple[Numbers, ...]  # head, column: the share of the head's whole attention (every row) that it takes


@dataclass(frozen=True)
class Layer:
    """One attention layer, over all texts. Names of measures: `measures.MEASURES`."""

    name: str  # in the model: "h.0.attn"
    kind: str  # "self" or "cross"
    heads: int
    calls: int  # how often it was called: once a text, or once a token while text is written
    values: dict[str, Numbers]  # measure → one number a head
    errors: dict[str, Numbers]  # standard errors of those taken on sampled rows; 0 where every row was taken
    sets: dict[str, Numbers]  # declared set of tokens ("CLS") → the share of attention that it takes
    strongest: tuple[int | None, ...]  # place of the key that receives most
    strongest_token: tuple[str | None, ...]
    nearest: tuple[int | None, ...]  # the head whose rows are most like this one's
    offset: tuple[int | None, ...]  # the one distance (key − query) that takes most; None in cross-attention
    maps: Maps | None = None


@dataclass(frozen=True)
class Block:
    """The stream of tokens after one block: means over the texts; for `largest`, the greatest of all."""

    name: str
    values: dict[str, float | None]
    largest_at: tuple[int, int]  # token and feature of the largest activation
    largest_token: str | None
    finite: bool


@dataclass(frozen=True)
class Gradients:
    """One layer's gradients."""

    name: str
    values: dict[str, float | None]
    importance: Numbers  # one a head, as a share of the layer's largest


@dataclass(frozen=True)
class Report:
    """Everything. `about` says on what it was measured."""

    model: str
    about: dict[str, str | int | float | None]  # sequences, tokens, sampled_rows, dtype
    tokens: tuple[tuple[str, ...], ...]  # the texts, token by token; empty if they were not given
    sets: dict[str, tuple[int, ...]]  # declared set → its places in the first text
    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...] = ()
    gradients: tuple[Gradients, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = field(default=())  # what could not be measured, in sentences

    def of_severity(self, severity: str) -> tuple[Finding, ...]:
        """The findings that are "fault", "look" or "normal"."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def grid(self, measure: str) -> tuple[Numbers, ...]:
        """Layers × heads: the numbers of one measure, or of one declared set."""
        return tuple(layer.values.get(measure, layer.sets.get(measure, (None,) * layer.heads)) for layer in self.layers)

    def to_dict(self) -> dict:
        """For JSON: lists, words, finite numbers and null, as report.schema.json beside this file describes."""
        return {"format": FORMAT, "edition": EDITION} | _plain(asdict(self))

    @classmethod
    def from_dict(cls, written: dict) -> "Report":
        """The report that `to_dict` wrote. Raises ValueError with one sentence for anything else."""
        if not isinstance(written, dict) or written.get("format") != FORMAT:
            raise ValueError(f"This is no {FORMAT}: write one with attn-course doctor --json FILE.")
        if written.get("edition") != EDITION:
            raise ValueError(f"The report is of edition {written.get('edition')}, this package reads {EDITION}.")
        try:
            return cls(
                model=written["model"],
                about=written["about"],
                tokens=_tuples(written["tokens"]),
                sets=_tuples(written["sets"]),
                layers=tuple(_layer(each) for each in written["layers"]),
                blocks=tuple(Block(**_tuples(each)) for each in written["blocks"]),
                gradients=tuple(Gradients(**_tuples(each)) for each in written["gradients"]),
                findings=tuple(_finding(each) for each in written["findings"]),
                notes=_tuples(written["notes"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"This {FORMAT} is damaged ({type(error).__name__}: {error}): write it again with attn-course doctor "
                "--json FILE."
            ) from error

    def to_text(self, width: int = 80, colour: bool = False) -> str:
        """For a terminal of this width: findings, then layers in numbers, then each head as a digit."""
        from attn_course.diagnosis.terminal import as_text

        return as_text(self, width, colour)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.of_severity(each))} {each}" for each in SEVERITIES)
        return f"Report({self.model}: {len(self.layers)} layers; findings: {counts})"


def _layer(written: dict) -> Layer:
    maps = written["maps"]
    return Layer(**_tuples(written) | {"maps": None if maps is None else Maps(**_tuples(maps))})


def _finding(written: dict) -> Finding:
    return Finding(**_tuples(written) | {"where": tuple(Place(**each) for each in written["where"])})


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _tuples(value):
    """The inverse of `_plain`."""
    if isinstance(value, dict):
        return {key: _tuples(each) for key, each in value.items()}
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
