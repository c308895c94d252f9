"""``make torture``: every trial in its long form, as a table.

    python -m durability [--only NUMBER]... [--share SHARE] [--seed SEED] [--json FILE]

``--share 0.01`` tries each a hundredth as often.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Final

MODULES: Final = (
    "kills", "power", "damage", "repairs", "pictures", "refusals",
    "crowd", "model", "interrupts", "trees", "cycles", "received", "readers", "askers",
    "arguments", "served",
)  # fmt: skip


def main() -> None:
    """Run and print; the exit code tells whether anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", type=int, action="append", default=[])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("output/torture.json"))
    given = parser.parse_args()
    records: list[dict[str, Any]] = []
    for name in MODULES:
        trial = import_module(f"durability.{name}").TRIAL
        if given.only and trial.number not in given.only:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcome = trial.run(max(1, round(trial.times * given.share)), given.seed, Path(folder))
        seconds = time.monotonic() - start
        facts = ", ".join(f"{key} {value}" for key, value in outcome.facts.items())
        print(
            f"{trial.number:>2}  {trial.name:<44} {outcome.tried:>7,} tried  "
            f"{len(outcome.failures):>3} failed  {seconds:7.0f} s  {facts}",
            flush=True,
        )
        for failure in outcome.failures[:5]:
            print(f"      {failure}", flush=True)
        records.append(
            {"number": trial.number, "name": trial.name, "seconds": seconds, **asdict(outcome)}
        )
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(records, indent=2) + "\n")
    sys.exit(any(record["failures"] for record in records))


if __name__ == "__main__":
    main()
