"""Change the code in small ways, and see whether the tests notice.

    python -m bench.mutants                              # 40 mutants of each group
    python -m bench.mutants losses planner --each 100 --seed 1
    python -m bench.mutants metrics --all --json FILE

cosmic-ray (the extra `mutants`) makes the mutants: one operator, number, comparison, decorator or
keyword of a module is replaced. Which modules there are, and which tests have to notice, stands in
`bench/mutants.toml`. Annotations are left alone: nothing evaluates them.

The mutants are made in a copy of `src` and `tests`. Each has a forked process of its own that runs
the tests, but for slow ones, until one fails; PyTorch is imported once, in the parent. A mutant is
killed if a test fails, if the tests cannot be collected, or if they take ten times as long.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from latentbloom.words import plural

HOME = Path(__file__).parents[1]
TABLE = HOME / "bench" / "mutants.toml"
OURS = ("latentbloom", "bench", "tests", "conftest", "__mp_main__", "hypothesis", "_hypothesis")
PLAIN = ("-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "--no-header", "--tb=line")
SLOWER = 10.0  # times as long as without a mutant, from which on it counts as killed
FEWEST_SECONDS = 20.0  # that the tests get in any case

Span = tuple[tuple[int, int], tuple[int, int]]
Tests = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: Path below src/latentbloom.
        span: Lines and columns of what is replaced, from 1 and from 0.
        operator: cosmic-ray's name of the change.
        occurrence: Which of the places in the module at which this operator acts.
    """

    module: str
    span: Span
    operator: str
    occurrence: int


def read_table(path: Path = TABLE) -> dict[str, dict[str, Tests]]:
    """Groups of modules, each with the files of its tests."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        group: {module: tuple(tests) for module, tests in modules.items()}
        for group, modules in table.items()
    }


def annotated(source: str) -> list[Span]:
    """Where annotations stand: with `from __future__ import annotations` they are only text."""
    found: list[Span] = []
    for node in ast.walk(ast.parse(source)):
        marks = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        found += [
            ((mark.lineno, mark.col_offset), (mark.end_lineno or 0, mark.end_col_offset or 0))
            for mark in marks
            if isinstance(mark, ast.expr)
        ]
    return found


def worth_trying(mutants: Sequence[Mutant], source: str) -> list[Mutant]:
    """Those outside annotations."""
    spans = annotated(source)
    return [m for m in mutants if not any(a <= m.span[0] and m.span[1] <= b for a, b in spans)]


def all_mutants(package: Path, module: str) -> list[Mutant]:
    """Every change that cosmic-ray can make in a module, but for its annotations, in order."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB

    path = package / module
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init([path], database, {})
    specs = [item.mutations[0] for item in database.work_items]
    found = [
        Mutant(module, (tuple(s.start_pos), tuple(s.end_pos)), s.operator_name, s.occurrence)
        for s in specs
    ]
    return sorted(worth_trying(found, path.read_text(encoding="utf-8")))


def chosen(mutants: Sequence[Mutant], count: int | None, seed: int) -> list[Mutant]:
    """So many of them at random, in order; all where `count` is None."""
    if count is None or count >= len(mutants):
        return sorted(mutants)
    return sorted(random.Random(seed).sample(list(mutants), count))  # noqa: S311 - no secret


def changed(source: str, mutant: Mutant) -> str:
    """The source with the change made."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    found = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    assert found is not None  # it was listed
    return found


def difference(before: str, after: str) -> str:
    """What changed, in one line: "- a + b" and "+ a - b"."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    short = [line[0] + " " + line[1:].strip() for line in list(lines)[2:] if line[0] in "+-"]
    return "  ".join(short)


class Workplace:
    """A copy of the package and its tests, whose tests run in forked processes.

    Arguments:
        folder: Empty, for the copy.
        home: The repository.
    """

    def __init__(self, folder: Path, home: Path = HOME) -> None:
        self.folder = folder
        self.package = folder / "src" / "latentbloom"
        leave_out = shutil.ignore_patterns("__pycache__", ".*")
        for name in ("src", "tests", "bench"):
            shutil.copytree(home / name, folder / name, ignore=leave_out)
        shutil.copy(home / "pyproject.toml", folder)

    def warm_up(self, tests: Tests) -> float:
        """Run tests once without a mutant; returns their seconds.

        What they import of other packages is imported here, so that no mutant has to.

        Raises:
            SystemExit: They fail.
        """
        began = time.monotonic()
        code = self.run(tests, 3600.0, compiled=True)
        if code != 0:
            said = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
            raise SystemExit(
                f"Without a mutant, {' '.join(tests)} end with {code}:\n{said[-3000:]}"
            )
        for name in (self.folder / "modules.txt").read_text(encoding="utf-8").splitlines():
            with suppress(Exception):
                import_module(name)
        return time.monotonic() - began

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[str]:
        """The module with the change, as long as the context lasts; gives the difference."""
        path = self.package / mutant.module
        before = path.read_text(encoding="utf-8")
        after = changed(before, mutant)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(after, encoding="utf-8")
        try:
            yield difference(before, after)
        finally:
            path.write_text(before, encoding="utf-8")

    def run(self, tests: Tests, seconds: float, *, compiled: bool = False) -> int | None:
        """The exit code of pytest in a child; None where it was stopped after so many seconds."""
        child = os.fork()
        if child == 0:
            self._in_child(tests, compiled=compiled)
        end = time.monotonic() + seconds
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return None
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what the tests left running
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _in_child(self, tests: Tests, *, compiled: bool) -> NoReturn:
        code = 70
        try:
            os.setpgid(0, 0)
            log = os.open(self.folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.folder)
            for name in [name for name in sys.modules if name.partition(".")[0] in OURS[:1]]:
                del sys.modules[name]
            sys.path.insert(0, str(self.folder / "src"))
            os.environ["PYTHONPATH"] = str(self.folder / "src")
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            sys.dont_write_bytecode = not compiled
            if not compiled:
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            import pytest

            base = str(self.folder / "tmp")
            code = pytest.main([*PLAIN, "--basetemp", base, *(f"tests/{name}" for name in tests)])
            if compiled:
                other = {n for n in sys.modules if not n.startswith(("test", *OURS))}
                names = "\n".join(sorted(other))
                (self.folder / "modules.txt").write_text(names, encoding="utf-8")
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))


def try_group(
    work: Workplace, modules: dict[str, Tests], count: int | None, seed: int
) -> dict[str, Any]:
    """Try a sample of the mutants of some modules; returns figures and the survivors."""
    every = [m for module in modules for m in all_mutants(work.package, module)]
    sample = chosen(every, count, seed)
    limits = {
        tests: max(FEWEST_SECONDS, SLOWER * work.warm_up(tests))
        for tests in dict.fromkeys(modules[m.module] for m in sample)
    }
    killed, survivors = Counter[str](), list[str]()
    for number, mutant in enumerate(sample, 1):
        tests = modules[mutant.module]
        with work.mutated(mutant) as what:
            code = work.run(tests, limits[tests])
        killed[mutant.module] += code != 0
        if code == 0:
            survivors.append(f"{mutant.module}:{mutant.span[0][0]}: {what}")
            print(f"  survived: {survivors[-1]}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(sample)}\r", end="", file=sys.stderr, flush=True)
    tried = Counter(m.module for m in sample)
    return {
        "mutants": len(every),
        "tried": len(sample),
        "killed": sum(killed.values()),
        "modules": {m: f"{killed[m]} of {tried[m]} killed" for m in modules},
        "survivors": survivors,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Try mutants; returns 1 where fewer than `--least` percent of a group are killed."""
    table = read_table()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(table)}")
    parser.add_argument("--each", type=int, default=40, help="mutants of each group, at random")
    parser.add_argument("--all", action="store_true", help="every mutant, which takes hours")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--least", type=float, default=80.0, help="percent killed in each group")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args(argv)
    if unknown := set(args.groups) - set(table):
        parser.error(
            f"no group is called {', '.join(sorted(unknown))}; there are {', '.join(table)}"
        )
    folder = Path(tempfile.mkdtemp(prefix="latentbloom-mutants-"))
    found: dict[str, dict[str, Any]] = {}
    try:
        work = Workplace(folder)
        for group in args.groups or table:
            began = time.monotonic()
            one = try_group(work, table[group], None if args.all else args.each, args.seed)
            one["seconds"] = round(time.monotonic() - began)
            found[group] = one
            share = 100 * one["killed"] / max(1, one["tried"])
            print(
                f"{group}: {one['killed']} of {plural(one['tried'], 'mutant')} killed "
                f"({share:.0f} %), {one['mutants']:,} are possible, {one['seconds']} s",
                flush=True,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    enough = all(100 * one["killed"] >= args.least * one["tried"] for one in found.values())
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
