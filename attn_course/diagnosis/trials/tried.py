"""What came of taking things away: plain numbers, which the rules read and which go into JSON and back."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Cost:
    """What the loss rises by (nats, mean of the answers), with its standard error: answers are paired."""

    mean: float
    error: float

    @property
    def least(self) -> float:
        """Two standard errors taken off."""
        return self.mean - 2 * self.error

    @property
    def most(self) -> float:
        return self.mean + 2 * self.error


@dataclass(frozen=True)
class Eviction:
    """Nobody may look at this key any more."""

    key: int
    share: float  # what the head that gives it most gives it, mean over queries
    value: float  # ‖v‖ by the median of the others', in that head
    layer: int
    head: int
    cost: Cost


@dataclass(frozen=True)
class Look:
    """Where one head looks from queries that need something: means over these queries."""

    layer: int
    head: int
    needed: float
    irrelevant: float | None  # None: not declared
    resting: float  # on the one key that the head gives most, over all queries, if that key is not needed
    entropy: float  # of log n


@dataclass(frozen=True)
class Length:
    """The same questions in rows of another length."""

    tokens: int
    loss: float
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Pair:
    """Two heads of a layer, the two most alike of all that it has: can the layer do with one of them?"""

    layer: int
    head: int
    other: int
    divergence: float  # bits between their rows, mean
    rests: bool  # one of them rests on one key, or spreads over all
    folded: Cost  # the first gives what the second gives: W_o serves both from one
    silenced: Cost  # the first gives nothing
    both: Cost  # neither gives anything: does the layer need what they have in common?


@dataclass(frozen=True)
class Skipped:
    """A block hands on what it was given."""

    block: int
    cost: Cost


@dataclass(frozen=True)
class Window:
    """Every query may look at the last w tokens, itself included, and at the first one."""

    w: int
    reach: int  # how far back anything can come from, through all layers
    cost: Cost
    beyond: float | None  # the share of the answers whose needed tokens all lie further back; None: not declared


@dataclass(frozen=True)
class Swap:
    """One kind of token exchanged for another, wherever it stands."""

    kind: int
    other: int  # the kind that changes most in its place
    texts: float  # the share of the rows that hold it
    flips: float  # of these, the share whose answer changes
    apart: float  # the same for exchanges among kinds outside the few that change most of all
    must_not: bool  # it was declared not to decide


@dataclass(frozen=True)
class Trials:
    """Everything that was tried. `loss` and `guess` in nats; `untested`: sentences."""

    answers: int
    tokens: int
    loss: float
    guess: float
    evictions: tuple[Eviction, ...] = ()
    others: tuple[Cost, ...] = ()  # keys evicted to compare with
    looks: tuple[Look, ...] = ()
    without_irrelevant: Cost | None = None
    longer: tuple[Length, ...] = ()
    pairs: tuple[Pair, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    windows: tuple[Window, ...] = ()
    swaps: tuple[Swap, ...] = ()
    untested: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """How much better than guessing (nats)."""
        return self.guess - self.loss

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, written: dict) -> "Trials":
        """The inverse of `to_dict`, also after JSON."""
        return _made(cls, written)


def _cost(written: dict | None) -> Cost | None:
    return None if written is None else Cost(**written)


def _look(written: dict) -> Look:
    return Look(**written)


def _made(cls: type[Trials], written: dict) -> Trials:
    many = {
        "evictions": lambda each: Eviction(**each | {"cost": _cost(each["cost"])}),
        "others": _cost,
        "looks": _look,
        "longer": lambda each: Length(**each | {"looks": tuple(map(_look, each["looks"]))}),
        "pairs": lambda each: Pair(**each | {name: _cost(each[name]) for name in ("folded", "silenced", "both")}),
        "skipped": lambda each: Skipped(**each | {"cost": _cost(each["cost"])}),
        "windows": lambda each: Window(**each | {"cost": _cost(each["cost"])}),
        "swaps": lambda each: Swap(**each),
        "untested": str,
    }
    read = {name: tuple(make(each) for each in written[name]) for name, make in many.items()}
    return cls(**written | read | {"without_irrelevant": _cost(written["without_irrelevant"])})
