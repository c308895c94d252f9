"""``make mutants``: put each one-line fault into a copy of the package and run the tests on it.

    python -m mutants [--only TEXT]... [--left] [--workers N] [--seconds S] [--tests FILE]...

Which tests run which lines is measured first, in a run of all of them (20 minutes), and kept in
``.mutants``. The exit status is 1 if fewer than 90 % of the mutants are noticed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from mutants.covering import CACHE, ROOT, Covering, find_test_files
from mutants.mutant import Mutant, read_mutants
from mutants.trying import Copies, Try, chosen

WANTED: Final = 0.9
"""The share of mutants that must be noticed."""

_RESULTS: Final = CACHE / "results.json"
_SHOWN: Final = 8


def main() -> None:
    """Measure, try, print."""
    parser = argparse.ArgumentParser(description="try one-line faults on the tests")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="in a row")
    parser.add_argument("--left", action="store_true", help="those that were not noticed before")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests for each mutant")
    parser.add_argument(
        "--tests", action="append", default=[], type=Path, help="only these test files"
    )
    given = parser.parse_args()
    known: dict[str, str] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    every = [one for one in read_mutants(ROOT / "vecsearch") if not one.equivalent]
    mutants = [one for one in every if not given.only or any(t in _text(one) for t in given.only)]
    if given.left:
        mutants = [one for one in mutants if known.get(_text(one)) not in ("noticed", "timed out")]
    covering = Covering()
    files = [path.resolve() for path in given.tests] or find_test_files(ROOT / "tests")
    covering.measure(files, given.workers)
    tries = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(given.workers) as pool,
    ):
        copies = Copies(Path(folder), given.workers)
        futures = []
        for mutant in mutants:
            tests = list(chosen(covering.tests_of(mutant), given.seconds))
            timeout_s = 120.0 + 5 * sum(test.seconds for test in tests)
            futures.append(pool.submit(copies.try_out, mutant, tests, timeout_s))
        for future in as_completed(futures):
            try:
                one = future.result()
            except RuntimeError:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            tries.append(one)
            known[_text(one.mutant)] = one.outcome
            _RESULTS.write_text(json.dumps(known, indent=1))
            print(f"{len(tries):>4}/{len(mutants)}  {one.outcome:<15} {_line(one)}", flush=True)
    _print_table(tries)
    if given.left or given.only:
        found = sum(known.get(_text(one)) in ("noticed", "timed out") for one in every)
        print(f"\nof all, with those of earlier runs: {found} of {len(every)} noticed")
    noticed = sum(one.is_noticed for one in tries)
    sys.exit(noticed < WANTED * len(tries))


def _print_table(tries: Sequence[Try]) -> None:
    """Print how many of each module were noticed, and those that were not."""
    modules = sorted({one.mutant.module for one in tries})
    print(f"\n{'module':<28} noticed  of")
    for module in modules:
        mine = [one for one in tries if one.mutant.module == module]
        print(f"{module:<28} {sum(one.is_noticed for one in mine):>7} {len(mine):>3}")
    total = sum(one.is_noticed for one in tries)
    print(f"{'all':<28} {total:>7} {len(tries):>3}  {total / max(1, len(tries)):.0%}")
    missed = [one for one in tries if not one.is_noticed]
    if missed:
        print("\nnot noticed:")
    for one in missed:
        print(f"  {_line(one)}")
        print(f"    - {one.mutant.old.strip()}\n    + {one.mutant.new.strip()}")
        for test in one.tests[:_SHOWN]:
            print(f"      {test}")
        if len(one.tests) > _SHOWN:
            print(f"      and {len(one.tests) - _SHOWN} more")


def _line(one: Try) -> str:
    by = f"  [{one.by}]" if one.by else ""
    return f"{one.mutant.module}: {one.mutant.breaks}{by}"


def _text(mutant: Mutant) -> str:
    return f"{mutant.module}: {mutant.breaks}: {mutant.old} -> {mutant.new}"


if __name__ == "__main__":
    main()
