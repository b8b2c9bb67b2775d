"""Mutants: which are made, where, and that those that change nothing tested survive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import mutants
from bench.mutants import Mutant, annotated, chosen, difference, read_table

HOME = Path(__file__).parents[3]
PACKAGE = HOME / "src" / "latentbloom"

SOURCE = """\
from __future__ import annotations

limit: int | None = 3 | 4


def half(x: float | int, *rest: int | str) -> float | None:
    return x / 2 if x > 0 else None
"""


def at(source: str, piece: str, operator: str = "some/operator") -> Mutant:
    """A mutant of the place where a piece of the source stands first."""
    before, _, _ = source.partition(piece)
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2])
    return Mutant("m.py", ((line, column), (line, column + len(piece))), operator, 0)


def test_every_module_and_test_of_the_table_is_there() -> None:
    table = read_table()
    assert set(table) == {"losses", "conditioning", "checkpoint", "metrics", "planner"}
    for modules in table.values():
        for module, tests in modules.items():
            assert (PACKAGE / module).is_file()
            assert tests
            assert all((HOME / "tests" / name).is_file() for name in tests)
    losses = {f"losses/{path.name}" for path in (PACKAGE / "losses").glob("[!_]*.py")}
    assert set(table["losses"]) == losses


def test_annotations_are_left_alone_and_nothing_else() -> None:
    inside = [at(SOURCE, piece) for piece in ("int | None", "float | int", "int | str")]
    outside = [at(SOURCE, piece) for piece in ("3 | 4", "3", "x / 2", "2", "x > 0")]
    assert mutants.worth_trying(inside + outside, SOURCE) == outside
    assert len(annotated(SOURCE)) == 4


def test_a_choice_is_repeatable_and_depends_on_its_seed() -> None:
    every = [Mutant("m.py", ((n, 0), (n, 1)), "some/operator", n) for n in range(1, 100)]
    first = chosen(every, 20, 0)
    assert first == chosen(list(reversed(every))[::-1], 20, 0) == sorted(first)
    assert len(set(first)) == 20
    assert first != chosen(every, 20, 1)
    assert chosen(every, None, 0) == chosen(every, 200, 0) == every


def test_what_changed_is_said_in_a_line() -> None:
    assert difference("a = 1\n    b = 2\n", "a = 1\n    b = 3\n") == "- b = 2  + b = 3"


PROGRAM = """
import sys
from pathlib import Path

from bench import mutants
from bench.mutants import Mutant, Workplace

mutants.changed = lambda source, mutant: source.replace("x * 2", mutant.operator)
work = Workplace(Path(sys.argv[2]), Path(sys.argv[1]))
power = Mutant("m.py", ((2, 11), (2, 16)), "x ** 2", 0)
endless = Mutant("m.py", ((2, 11), (2, 16)), "[1 for _ in iter(int, 1)]", 0)
for name in ("test_sees.py", "test_misses.py"):
    print(work.run((name,), 60.0, compiled=True))
with work.mutated(power) as what:
    print(what)
    print(work.run(("test_sees.py",), 60.0))
    print(work.run(("test_misses.py",), 60.0))
with work.mutated(endless):
    print(work.run(("test_sees.py",), 2.0))
print(work.run(("test_sees.py",), 60.0))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants run in forked processes")
def test_a_change_is_seen_by_a_test_that_looks_at_it_and_by_no_other(tmp_path: Path) -> None:
    """The same change of a module, before two tests; afterwards the module is as it was."""
    home, work, source = tmp_path / "home", tmp_path / "work", "def double(x):\n    return x * 2\n"
    for name in ("src/latentbloom", "tests", "bench"):
        (home / name).mkdir(parents=True)
    (home / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (home / "src/latentbloom/__init__.py").touch()
    (home / "src/latentbloom/m.py").write_text(source, encoding="utf-8")
    looks = "from latentbloom.m import double\n\n\ndef test_it():\n    assert double({}) == {}\n"
    for name, x, y in (("test_sees.py", "3", "6"), ("test_misses.py", "2", "4")):
        (home / "tests" / name).write_text(looks.format(x, y), encoding="utf-8")
    done = subprocess.run(  # only a process of one thread can be forked
        [sys.executable, "-c", PROGRAM, str(home), str(work)],
        cwd=HOME,
        env={**os.environ, "PYTHONPATH": f"{HOME / 'src'}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        *("0", "0"),  # without a mutant
        *("- return x * 2  + return x ** 2", "1", "0"),  # 3 * 2 is not 3 ** 2, 2 * 2 is 2 ** 2
        "None",  # stopped
        "0",
    ], done.stderr
    assert (work / "src/latentbloom/m.py").read_text(encoding="utf-8") == source
