"""The command `attn-course`. Only `check` needs torch, in a process of its own; all else answers at once.

Exit codes: 0 done or passed, 1 not passed or not possible (with a sentence), 2 asked for something that does not exist.
"""

import argparse
import os
import sys
from pathlib import Path

from attn_course import __version__
from attn_course.coach import catalogue, jupyter, progress
from attn_course.coach.lab import LabError, checkout, fresh, lay_out, learner_folder

LEVELS = {1: "●○○", 2: "●●○", 3: "●●●"}


def main(words: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # an old Windows terminal has no ●; better a ? than a traceback
    asked = parser().parse_args(words)
    try:
        code = asked.run(asked)
        sys.stdout.flush()  # here, where a closed pipe is still ours to handle
        return code
    except LabError as error:
        print(error)
        return 1
    except (catalogue.UnknownExercise, jupyter.UnknownLesson) as error:
        print(error)
        return 2
    except KeyboardInterrupt:
        print("Stopped.")
        return 130
    except BrokenPipeError:  # `attn-course list | head`: whoever read along has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="attn-course",
        description="A course, in Jupyter, on self-attention and how it fails.",
        epilog="Begin: attn-course lab",
    )
    top.add_argument("--version", action="version", version=f"attn-course {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    lab = _command(commands, "lab", _lab, "open the course in JupyterLab", "attn-course lab 02 --port 8890")
    lab.add_argument("lesson", nargs="?", metavar="LESSON", help="a number or a topic; the first lesson unless given")
    _lab_options(lab)
    lab.add_argument("--fresh", metavar="NAME", help="only write the course's own copy of a notebook beside yours")

    start = _command(commands, "start", _start, "open one lesson or exercise", "attn-course start scaling")
    start.add_argument("lesson", metavar="NN|TOPIC|EXERCISE", help="02, scaling, or an exercise such as scaling.spread")
    _lab_options(start)

    _command(commands, "list", _list, "lessons and exercises, with what you have done", "attn-course list")
    _command(commands, "next", _next, "the next exercise that is not done", "attn-course next")

    check = _command(commands, "check", _check, "check an answer", "attn-course check formula.scores my_answer.py")
    check.add_argument("id", metavar="EXERCISE")
    check.add_argument("file", nargs="?", type=Path, help="your notebook or a .py file; else your exercise notebook")

    hint = _command(commands, "hint", _hint, "the next hint of an exercise", "attn-course hint formula.scores")
    hint.add_argument("id", metavar="EXERCISE")
    solution = _command(
        commands,
        "solution",
        _solution,
        "the solution, after a pass or three tries",
        "attn-course solution formula.scores",
    )
    solution.add_argument("id", metavar="EXERCISE")

    _command(commands, "progress", _progress, "how far you are", "attn-course progress")
    reset = _command(
        commands, "reset", _reset, "forget progress (a backup is kept)", "attn-course reset formula.scores"
    )
    reset.add_argument("id", nargs="?", metavar="EXERCISE", help="all exercises unless given")
    reset.add_argument("--yes", action="store_true", help="do not ask")

    _doctor_options(
        _command(commands, "doctor", _doctor, "examine a model", "attn-course doctor language --html a.html")
    )
    return top


def _command(commands, name: str, run, help: str, example: str) -> argparse.ArgumentParser:
    made = commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", epilog=f"Example: {example}"
    )
    made.set_defaults(run=run)
    return made


def _lab_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--no-browser", action="store_true", help="only print the address")
    command.add_argument("--port", type=int, metavar="N", help="a free one from 8888 up unless given")


def _doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="a folder, a hub id, or one of the course's models that read text (language, masked); MiniLM unless given",
    )
    command.add_argument("--text", nargs="+", action="extend", default=[], metavar="FILE", help="what it is to read")
    command.add_argument("--json", metavar="FILE", help="write the report for programs")
    command.add_argument("--html", metavar="FILE", help="write it as a page")
    command.add_argument("--max-tokens", type=int, metavar="N", help="read only the first N tokens of each text")
    command.add_argument("--rows", type=int, default=64, metavar="R", help="rows to sample in each text (64)")


def _lab(asked) -> int:
    if asked.fresh is not None:
        return _fresh(asked.fresh)
    return _open(asked, asked.lesson)


def _start(asked) -> int:
    return _open(asked, asked.lesson)


def _open(asked, lesson: str | None) -> int:
    notebook = jupyter.notebook_of(lesson or catalogue.lessons()[0].number)
    folder = learner_folder(Path.cwd()) or Path.cwd()
    port = jupyter.free_port(asked.port)
    if checkout() is None:
        for sentence in lay_out(folder).sentences():
            print(sentence)
    words = jupyter.command(folder, notebook, port, browser=not asked.no_browser)
    if asked.port is None and port != jupyter.FIRST_PORT:
        print(f"Port {jupyter.FIRST_PORT} is in use, so this is port {port}.")
    print(f"Opening {notebook} in JupyterLab, in {folder}. Stop it with Ctrl-C.")
    return jupyter.launch(words)


def _fresh(name: str) -> int:
    if checkout() is not None:
        print("This is a checkout, so git has the fresh copy: git show HEAD:exercises/NAME.ipynb > NAME.new.ipynb")
        return 1
    for path in fresh(learner_folder(Path.cwd()) or Path.cwd(), name):
        print(f"Wrote {path}.")
    return 0


def _list(asked) -> int:
    records = progress.summary()
    each = [exercise for lesson in catalogue.lessons() for exercise in lesson.exercises]
    ids, names = (2 + max(len(getattr(exercise, what)) for exercise in each) for what in ("id", "title"))
    for lesson in catalogue.lessons():
        print(f"{lesson.number} {lesson.title}  ({lesson.minutes} min)  attn-course start {lesson.number}")
        for exercise in lesson.exercises:
            level, record = LEVELS[exercise.difficulty], records[exercise.id]
            line = f"   {exercise.id:<{ids}}{exercise.title:<{names}}{level}{exercise.minutes:>4} min  {_state(record)}"
            print(line.rstrip())
    return 0


def _state(record: progress.Record) -> str:
    if record.passed:
        return "done"
    parts = [_count(record.tries, "try", "tries")] * bool(record.tries)
    parts += [_count(record.hints, "hint", "hints")] * bool(record.hints)
    return ", ".join(parts)


def _next(asked) -> int:
    for id, record in progress.summary().items():
        if not record.passed:
            exercise = catalogue.find(id)
            print(f"{id}: {exercise.title} ({LEVELS[exercise.difficulty]}, {exercise.minutes} min)")
            print(f"Open it: attn-course start {id}")
            return 0
    print(f"All {len(catalogue.exercises())} exercises are done.")
    return 0


def _check(asked) -> int:
    from attn_course.coach.answers import AnswerError, program, run

    exercise = catalogue.find(asked.id)
    try:
        return 0 if run(program(exercise, asked.file or _exercise_notebook(exercise))) else 1
    except AnswerError as error:
        print(error)
        return 1


def _exercise_notebook(exercise: catalogue.Exercise) -> Path:
    name = f"exercises/{exercise.lesson}.ipynb"
    path = (learner_folder(Path.cwd()) or Path.cwd()) / name
    if not path.is_file():
        raise LabError(f"{path} is missing. Go to the folder where your exercises are, or name your file after the id.")
    return path


def _hint(asked) -> int:
    from attn_course.coach.help import hint

    print(hint(asked.id))
    return 0


def _solution(asked) -> int:
    from attn_course.coach.help import solution

    shown = solution(asked.id)
    print(shown)
    return 0 if shown.code is not None else 1


def _progress(asked) -> int:
    records = progress.summary()
    for lesson in catalogue.lessons():
        done = sum(records[exercise.id].passed for exercise in lesson.exercises)
        print(f"{lesson.number} {lesson.title:<30}{done} of {len(lesson.exercises)} done")
    done = sum(record.passed for record in records.values())
    tries = _count(sum(record.tries for record in records.values()), "try", "tries")
    hints = _count(sum(record.hints for record in records.values()), "hint", "hints")
    print(f"{done} of {len(records)} exercises done, with {tries} and {hints}. Kept in {progress.file()}.")
    return 0


def _reset(asked) -> int:
    if asked.id is not None:
        catalogue.find(asked.id)
    what = asked.id or "all exercises"
    if not asked.yes and not _agreed(f"Forget your progress in {what}? Your notebooks stay as they are. [y/N] "):
        print("Nothing was changed.")
        return 1
    try:
        backup = progress.reset(asked.id)
    except OSError as error:
        print(f"Progress could not be reset ({progress.reason(error)}); nothing was changed.")
        return 1
    print(f"Forgotten. What it was is kept in {backup}." if backup else "There was nothing to forget.")
    return 0


def _doctor(asked) -> int:
    from attn_course.coach.doctor import doctor

    return doctor(asked.model, asked.text, asked.json, asked.html, asked.max_tokens, asked.rows)


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
