"""Measure retrograd beside its peers, and write docs/benchmarks.md and its picture.

make bench        or, in an environment with the peers: python -m benchmarks [options]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fresh, limits, picture, report
from benchmarks.measure import Result, compare
from benchmarks.peers import PEERS
from benchmarks.pool import ROOT, workers
from benchmarks.workloads import QUICK, TASKS


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; wrong names of tasks end the program with a message."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds of small tasks, no page")
    parser.add_argument("--only", metavar="A,B", help=f"some of: {', '.join(TASKS)}; no page")
    parser.add_argument("--rounds", type=int, help="timings of each (default 15, quick 3)")
    parser.add_argument("--engine", default="auto", help="retrograd's engine (default auto)")
    parser.add_argument("--docs", type=Path, help="write the page into this folder, whatever ran")
    options = parser.parse_args(words)
    options.names = list(TASKS)
    if options.quick:
        options.names = list(QUICK)
    if options.only:
        options.names = [name.strip() for name in options.only.split(",")]
        wrong = [name for name in options.names if name not in TASKS]
        if wrong:
            parser.error(f"no task {', '.join(wrong)}; there are: {', '.join(TASKS)}")
    options.rounds = options.rounds or (3 if options.quick else 15)
    if options.docs is None and not options.quick and not options.only:
        options.docs = ROOT / "docs"
    return options


def measure(options: argparse.Namespace, found: limits.Limits) -> list[Result]:
    """All tasks chosen, kind by kind; each one's tables are printed as soon as it is done."""
    results: list[Result] = []
    for kind in PEERS:
        tasks = [TASKS[name] for name in options.names if TASKS[name].kind == kind]
        if not tasks:
            continue
        with workers(kind, options.engine, quick=options.quick) as open_workers:
            for task in tasks:
                result = compare(task, open_workers, rounds=options.rounds)
                results.append(result)
                print(f"\n{task.name}: {task.words}\n{report.details(result)}")
                print(report.summary([result], found), flush=True)
    return results


def main() -> None:
    """Print what is found; write the page if it is whole, or if it was asked for."""
    options = parse()
    print(f"{report.processor()}\n{report.versions()}")
    found = limits.measure()
    print(report.limits_text(found), flush=True)
    results = measure(options, found)
    started = None
    if not options.only:
        started = fresh.measure(options.engine, rounds=1 if options.quick else options.rounds)
        print(f"\n{report.fresh_text(started)}")
    if options.docs is None:
        return
    page, image = options.docs / "benchmarks.md", options.docs / "images" / "benchmarks.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    picture.draw(results, image)
    whole = report.Report(options.engine, tuple(results), found, started)
    page.write_text(report.markdown(whole), encoding="utf-8")
    print(f"\nwrote {page} and {image}", file=sys.stderr)


if __name__ == "__main__":
    main()
