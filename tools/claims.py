"""Write docs/claims.md, the ledger of what the source articles say and what the lessons show: `python tools/claims.py`.

Rows come from docs/claims.toml, the sentences from the lines `✓ id  sentence` in the outputs of executed lessons. A row
whose claims were not all printed is open, whatever the file says. --check fails if docs/claims.md is out of date.
"""

import argparse
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a file, too

from tools.normalise import read, write_if_changed

ROOT = Path(__file__).parents[1]
OPEN, VERDICTS = "open", ("holds", "holds within limits", "not shown", "mixes up two things")
LINE = re.compile(r"^✓ (?P<id>\S+)  (?P<sentence>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    id: str
    statement: str
    lessons: tuple[str, ...]
    claims: tuple[str, ...]
    verdict: str
    evidence: str


def claims_printed(cell: NotebookNode) -> dict[str, str]:
    """Claim ids that a cell's stored output holds, each with its sentence and figures, in order."""
    streams = [o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == "stdout"]
    return {m["id"]: re.sub(r" {2,}", " ", m["sentence"]) for text in streams for m in LINE.finditer(text)}


def claims_of(*notebooks: NotebookNode) -> dict[str, str]:
    """All claims that executed notebooks printed, in order. ValueError if one id was printed by two cells."""
    found: dict[str, str] = {}
    for cell in (cell for nb in notebooks for cell in nb.cells):
        printed = claims_printed(cell)
        twice = sorted(set(printed) & set(found))
        if twice:
            raise ValueError(f"The claim {twice[0]} is printed by two cells; give each claim an id of its own.")
        found |= printed
    return found


def rows(path: Path) -> list[Row]:
    """The ledger's rows; ValueError with a sentence for one that says more than it may."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["row"]
        made = [Row(**{**e, "lessons": tuple(e["lessons"]), "claims": tuple(e["claims"])}) for e in entries]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} cannot be read as a ledger: {error}") from error
    for row in made:
        _sound(row)
    twice = [id for id, count in Counter(row.id for row in made).items() if count > 1]
    if twice:
        raise ValueError(f"{path.name} has two rows {twice[0]}.")
    return made


def _sound(row: Row) -> None:
    if row.verdict not in (OPEN, *VERDICTS):
        raise ValueError(f"{row.id} has the verdict {row.verdict!r}; choose {OPEN}, {', '.join(VERDICTS)}.")
    if row.verdict != OPEN and not (row.claims and row.evidence):
        raise ValueError(f"{row.id} has the verdict {row.verdict!r} without claims and a sentence of evidence.")


def verdict(row: Row, shown: dict[str, str]) -> str:
    """The row's verdict, or open where a claim that it rests on was not printed."""
    return row.verdict if row.claims and all(id in shown for id in row.claims) else OPEN


def ledger(made: list[Row], shown: dict[str, str], lessons: dict[str, str]) -> str:
    """The text of docs/claims.md. `lessons` maps a number to the name of its notebook, "01" to "01_formula"."""
    verdicts = {row.id: verdict(row, shown) for row in made}
    counts = Counter(verdicts.values())
    settled = [row for row in made if verdicts[row.id] != OPEN]
    waiting = [row for row in made if verdicts[row.id] == OPEN]
    listed = {id for row in made for id in row.claims}
    others = {id: sentence for id, sentence in shown.items() if id not in listed}
    parts = [
        "# Claims",
        "What the course's source articles say, and what the lessons found when they tried. A line with ✓ was printed "
        "by an experiment that would have stopped the lesson had it come out otherwise.",
        f"{len(made)} statements: " + ", ".join(f"{counts[v]} {v}" for v in (*VERDICTS, OPEN)) + ".",
    ]
    if settled:
        parts += ["## Put to the test", *(_settled(row, verdicts[row.id], shown, lessons) for row in settled)]
    if waiting:
        head = "| | the articles say | lesson |\n|---|---|---|\n"
        table = "\n".join(f"| {r.id} | {r.statement} | {_links(r, lessons)} |{_part(r, shown)}" for r in waiting)
        parts += ["## Open", head + table]
    if others:
        parts += ["## Also shown", "\n".join(f"- ✓ `{id}` {sentence}" for id, sentence in others.items())]
    return "\n\n".join(parts) + "\n"


def _settled(row: Row, said: str, shown: dict[str, str], lessons: dict[str, str]) -> str:
    lines = "\n".join(f"- ✓ `{id}` {shown[id]}" for id in row.claims)
    return f"**{row.id} · {said}** (lesson {_links(row, lessons)})\n\n> {row.statement}\n\n{row.evidence}\n\n{lines}"


def _part(row: Row, shown: dict[str, str]) -> str:
    missing = [id for id in row.claims if id not in shown]
    return f"\n| | not printed by any lesson: {', '.join(missing)} | |" if missing else ""


def _links(row: Row, lessons: dict[str, str]) -> str:
    return ", ".join(f"[{n}](../notebooks/{lessons[n]}.ipynb)" if n in lessons else n for n in row.lessons)


def current(root: Path) -> str:
    """What docs/claims.md should say now."""
    files = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    shown = claims_of(*map(read, files))
    return ledger(rows(root / "docs" / "claims.toml"), shown, {path.stem[:2]: path.stem for path in files})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/claims.py", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if docs/claims.md is out of date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder (default: this one)")
    options = parser.parse_args(arguments)
    target = options.root / "docs" / "claims.md"
    try:
        text = current(options.root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if not options.check:
        print(f"docs/claims.md: {'written' if write_if_changed(target, text) else 'unchanged'}")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    print(
        "docs/claims.md is not what the lessons' outputs and docs/claims.toml give; run `make claims`.", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
