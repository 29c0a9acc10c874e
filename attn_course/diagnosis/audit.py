"""An audit that a person signs: what was measured, what was not, and questions that no measurement answers.

    found = Audit("shortcut-plain", use, sections=(about_tokens(audit(texts, labels)), about_groups(look(model, data))))
    show.audit(found)                       # a page to fill in; its answers are saved as a small file
    signed(saved_text, found)               # the answers, if they are whole and belong to these measurements

A machine can print the numbers and count the blanks. It cannot say whether a number is good enough for what the model
is to be used for, or who answers for it: so nothing here turns measurements into a verdict.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date

from attn_course.diagnosis.association import Weat
from attn_course.tasks.marker import GROUPS, LABELS
from attn_course.tasks.token_audit import Told

FORMAT = "attn_course audit 1"
DECISIONS = ("use it", "use it within limits", "do not use it")


@dataclass(frozen=True)
class Section:
    """One table of measurements: what it is about, its columns, its rows of words, and what to keep in mind."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self):
        if not self.rows or any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: each of at least one row needs {len(self.columns)} cells, one a column.")
        if not all(isinstance(cell, str) for row in (self.columns, *self.rows) for cell in row):
            raise TypeError(f"{self.title}: cells are words. Write numbers as they should be read: f'{{share:.3f}}'.")


@dataclass(frozen=True)
class Question:
    name: str
    words: str


QUESTIONS = (
    Question("tokens", "Which of the tokens that tell most may the model know the label by, and which not? Why?"),
    Question("groups", "Who is in the group that fares worst, and what does an error cost them?"),
    Question("change", "What in the world may change so that the shortcut fails, and who would notice?"),
    Question("missing", "What should have been measured and was not?"),
)
UNTESTED = (
    "Shortcuts that are no single token and no pair of tokens.",
    "Groups that nobody named.",
    "Texts of another kind than these.",
)


@dataclass(frozen=True)
class Audit:
    """What a page prints and asks.

    Raises ValueError without a measurement, a subject, a use or a decision to take, or with two questions of one name.
    """

    subject: str  # the model or the data
    use: str  # what it is meant for
    sections: tuple[Section, ...]
    questions: tuple[Question, ...] = QUESTIONS
    untested: tuple[str, ...] = UNTESTED
    decisions: tuple[str, ...] = field(default=DECISIONS)

    def __post_init__(self):
        if not self.sections:
            raise ValueError("There is nothing measured, so there is nothing to sign: give at least one section.")
        if not self.subject.strip() or not self.use.strip():
            raise ValueError("An audit says what was looked at and what it is meant for: give a subject and a use.")
        if not any(each.strip() for each in self.decisions):
            raise ValueError("There is nothing to decide, so there is nothing to sign: give at least one decision.")
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise ValueError(f"Each question needs a name of its own, got {', '.join(names)}.")

    def to_dict(self) -> dict:
        return asdict(self) | {"format": FORMAT, "fingerprint": self.fingerprint}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that is printed and asked: answers belong to one audit and to no other."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def to_text(self) -> str:
        """The same for paper and terminal, with blanks to fill in; no label can begin a line or hide one."""
        lines = [f"Audit of {self.subject}", f"Meant for: {self.use}", "UNSIGNED: nobody answers for this yet."]
        for section in self.sections:
            lines += ["", section.title, section.about, " | ".join(section.columns)]
            lines += [" | ".join(row) for row in section.rows]
        lines += ["", "Not tested", *(f"- {each}" for each in self.untested), "", "To be answered by a person"]
        for number, each in enumerate(self.questions, 1):
            lines += [f"{number}. {each.words}", "   ____"]
        lines += [f"Decision ({' / '.join(self.decisions)}): ____", "Reason: ____", "Name, date: ____"]
        return "\n".join(map(_seen, lines))


@dataclass(frozen=True)
class Signed:
    answers: dict[str, str]
    decision: str
    reason: str
    name: str
    date: date


def signed(text: str, audit: Audit) -> Signed:
    """What a page saved, read back. Raises ValueError with one sentence unless it is whole, signed, of this audit."""
    try:
        given = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("This is no saved audit: it is not JSON. Save it from the page again.") from error
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise ValueError("This is no saved audit of this course. Save it from the page again.")
    if given.get("fingerprint") != audit.fingerprint:
        raise ValueError("These answers were given to other measurements. Fill in the page of these ones.")
    answers = given.get("answers")
    answers = answers if isinstance(answers, dict) else {}
    missing = [each.name for each in audit.questions if not _words(answers.get(each.name))]
    missing += [each for each in ("reason", "name") if not _words(given.get(each))]
    missing += [] if given.get("decision") in audit.decisions else ["decision"]
    missing += [] if _day(given.get("date")) else ["date"]
    if missing or given.get("signed") is not True:
        what = f"left open: {', '.join(missing)}" if missing else "nobody has put their name to it"
        raise ValueError(f"The audit is unsigned ({what}).")
    kept = {each.name: _words(answers[each.name]) for each in audit.questions}
    return Signed(kept, given["decision"], _words(given["reason"]), _words(given["name"]), _day(given["date"]))


# ---- sections from what the course measures


def about_tokens(told: Sequence[Told], most: int = 8, labels: tuple[str, ...] = LABELS) -> Section:
    """The most telling tokens of an audit of the data (`tasks.token_audit`)."""
    if not told or most < 1:
        raise ValueError(f"At least one token is needed, got {len(told)} and most={most!r}.")
    rows = tuple(
        (
            " + ".join(each.tokens),
            f"{each.bits:.3f}",
            str(each.count),
            labels[each.label],
            "yes" if each.alarm else "no",
        )
        for each in told[:most]
    )
    about = f"What each token alone says of the label, in bits (1 says all); the {len(rows)} that say most."
    return Section("The data, before any training", about, ("token", "bits", "sentences", "goes with", "alarm"), rows)


def about_groups(look: Mapping, groups: tuple[str, ...] = GROUPS) -> Section:
    """Accuracy by group, from `training.spurious_measures.look`."""
    _check(look, "accuracy", "shifted", "groups")
    rows = [
        ("all, as they came", f"{look['accuracy']:.3f}"),
        ("all, with each marker swapped", f"{look['shifted']:.3f}"),
    ]
    rows += [(name, f"{share:.3f}") for name, share in zip(groups, look["groups"], strict=True)]
    about = "Shares of right answers on sentences that were held out; each stands in two groups, with either marker."
    return Section("Who is served how well", about, ("sentences", "accuracy"), tuple(rows))


def about_changes(look: Mapping) -> Section:
    """What the answer depends on, beside what the map shows."""
    _check(look, "flips", "on marker", "uniform")
    rows = (
        ("answers that change with the marker", f"{look['flips']:.3f}"),
        ("attention of [CLS] on the marker", f"{look['on marker']:.3f}"),
        ("the same if it were spread evenly", f"{look['uniform']:.3f}"),
    )
    about = "The first number is what the model does. The second is a map, and a clean map proves nothing."
    return Section("Counterfactual test", about, ("", "share"), rows)


def about_calibration(look: Mapping) -> Section:
    """How far confidence is from accuracy, before and after a temperature."""
    _check(look, "ece", "ece after", "ece shifted", "ece shifted after", "temperature")
    names = (("as they came", "ece", "ece after"), ("with each marker swapped", "ece shifted", "ece shifted after"))
    rows = tuple((name, f"{look[before]:.3f}", f"{look[after]:.3f}") for name, before, after in names)
    fitted = f"The temperature, {look['temperature']:.2f}, was fitted on other sentences as they came."
    about = f"Mean gap of confidence and accuracy. {fitted}"
    return Section("How sure it is", about, ("sentences", "gap", "gap with temperature"), rows)


def about_words(found: Mapping[str, Weat]) -> Section:
    """Association tests in a model's vectors, each named with its template."""
    rows = tuple((name, f"{each.effect:.2f}", _rare(each.p)) for name, each in found.items())
    about = "Effect in standard deviations; p says how often words dealt out by chance would differ as much."
    return Section("Associations of words", about, ("test", "effect", "p"), rows)


def _check(look: Mapping, *names: str) -> None:
    if any(look.get(name) is None for name in names):
        raise ValueError(f"Measured should be {', '.join(names)}, as by `look`; a run that diverged has none of them.")


def _seen(line: str) -> str:
    """Characters that break a line, or hide or turn others, by their number: as the page shows them."""
    return "".join(c if c.isprintable() or c == "\u00a0" else f"<{ord(c):04X}>" for c in line)


def _rare(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else "under 0.001"  # a p-value is never 0


def _words(value) -> str:
    return value.strip() if isinstance(value, str) else ""


def _day(value) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
