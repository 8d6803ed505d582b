"""The report: tables for a terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.fresh import Fresh
from benchmarks.limits import Limits
from benchmarks.measure import Result, Row
from benchmarks.peers import CORES, PEERS
from benchmarks.workloads import Workload

PACKAGES = "retrograd numpy scipy scikit-learn torch jax jaxlib onnxruntime llvmlite".split()
REMARKS = Path(__file__).parent / "remarks.md"
UNITS = ((1.0, "s"), (1e-3, "ms"), (0.0, "us"))


@dataclass(frozen=True)
class Report:
    """All that a run found."""

    engine: str
    results: tuple[Result, ...]
    limits: Limits
    fresh: Fresh | None


def duration(seconds: float | None) -> str:
    """Three digits and a unit."""
    if seconds is None:
        return "-"
    unit, name = next((unit or 1e-6, name) for unit, name in UNITS if seconds >= unit)
    number = seconds / unit
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {name}"


def times(ratio: float | None) -> str:
    """A ratio to two digits, a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.2f}"


def median(row: Row | None) -> str:
    """A row's median time, a dash where there is none."""
    return duration(row.median if row else None)


def fraction(result: Result, limits: Limits) -> float | None:
    """Flops of a step over what the fma peak of the busy cores does in our time."""
    row = result.session
    if row is None or result.task.precision != "float32":
        return None
    return result.task.flops / row.median / limits.fma(row.cores_busy)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned; the first two to the left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * (w - (i > 1)) + ":" * (i > 1) for i, w in enumerate(widths)], *rows]
    return "\n".join(
        "| " + " | ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ) + " |"
        for line in lines
    )  # fmt: skip


def summary(results: Sequence[Result], limits: Limits) -> str:
    """One line a task of one kind: ours, each peer's best, the ratio and its target."""
    kind = results[0].task.kind
    is_training = kind == "training"
    families = list(dict.fromkeys(peer.family for peer in PEERS[kind] if not peer.is_ours))
    ours = ["session", "rg.train"] if is_training else ["retrograd"]
    ratios = ["session ahead", "rg.train ahead"] if is_training else ["ahead"]
    rows = []
    for result in results:
        task = result.task
        share = fraction(result, limits)
        rows.append([
            task.name,
            task.words,
            *[median(row) for row in (result.session, result.train)[: len(ours)]],
            *[median(result.best(of=family)) for family in families],
            *[times(result.ratio(row)) for row in (result.session, result.train)[: len(ours)]],
            "-" if task.target is None else f"{task.target:g}",
            "-" if share is None else f"{100 * share:.0f} %",
        ])  # fmt: skip
    return table(["", "task", *ours, *families, *ratios, "target", "of fma peak"], rows)


def details(result: Result) -> str:
    """One line a worker: median, smallest and largest over the rounds, and what did not work."""
    rows = []
    for row in sorted(result.rows, key=lambda row: row.median if row.times else float("inf")):
        said = row.problem or ("a different result" if row.disagrees else "")
        has = bool(row.times)
        rows.append([
            row.peer.name,
            said,
            str(row.threads),
            median(row) if has else "-",
            f"{duration(min(row.times))} to {duration(max(row.times))}" if has else "-",
            f"{row.cores_busy:.1f}" if has else "-",
            "-" if row.figure != row.figure else f"{row.figure:.5g}",
        ])  # fmt: skip
    unit = f"a {result.task.unit}"
    head = ["", "remark", "threads", unit, "smallest to largest", "cores", "figure"]
    return table(head, rows)


def processor() -> str:
    """The processor's name and its cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts = dict(
            (part.strip() for part in line.split(":", 1)) for line in reversed(lines) if ":" in line
        )
    except OSError:
        facts = {}
    name = facts.get("model name") or platform.processor() or platform.machine()
    has = facts.get("flags", "").split()
    sets = [word for word in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if word in has]
    cache = f", {facts['cache size']} cache" if "cache size" in facts else ""
    return f"{name}, {CORES} of {os.cpu_count()} cores{cache}, {' '.join(sets) or 'no AVX2'}"


def versions() -> str:
    """The packages' versions in a line."""
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def limits_text(limits: Limits) -> str:
    """The machine's limits in a sentence."""
    return (
        f"float32 fused multiply-adds: {limits.fma_one / 1e9:.0f} GFLOP/s on one core, "
        f"{limits.fma_all / 1e9:.0f} on {CORES}; memory read by one core: "
        f"{limits.read_one / 1e9:.1f} GB/s"
    )


def fresh_text(fresh: Fresh) -> str:
    """Imports, first step and memory, as a table."""
    over = fresh.import_retrograd - fresh.import_numpy
    rows = [
        ["import retrograd beyond NumPy's own import", duration(max(over, 0.0)), "100 ms"],
        ["first step on the digits, empty cache", duration(fresh.first_step_cold), "500 ms"],
        ["the same with the cache", duration(fresh.first_step_warm), "30.0 ms"],
    ]
    if fresh.peak_bytes is not None:
        ratio = fresh.peak_bytes / fresh.needed_bytes
        what = "peak memory of D over weights, optimizer state and one batch's activations"
        rows.append([what, f"{ratio:.2f}", "2.5"])
    return table(["in a fresh process", "measured", "at most"], rows)


def by_kind(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each kind of task."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.task.kind, []).append(result)
    return found


def markdown(report: Report) -> str:
    """The page docs/benchmarks.md."""
    kinds = {"training": "Training", "prediction": "Prediction", "fitting": "Estimators"}
    parts = [
        "# Benchmarks",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}, engine {report.engine}.",
        f"- {processor()}, {platform.system()} {platform.machine()}\n- {versions()}\n"
        f"- {limits_text(report.limits)}",
        "![How many times faster than the fastest peer](images/benchmarks.png)",
    ]
    for kind, results in by_kind(report.results).items():
        unit = results[0].task.unit
        parts += [f"## {kinds[kind]}: time a {unit}", summary(results, report.limits)]
    if report.fresh is not None:
        parts += ["## The first step, imports, memory", fresh_text(report.fresh)]
    parts += [REMARKS.read_text().strip(), "## Every measurement"]
    for result in report.results:
        task = result.task
        flops = f"{task.flops / 1e6:,.3g} Mflop a {task.unit}" if task.flops < 1e9 else (
            f"{task.flops / 1e9:,.3g} Gflop a {task.unit}")  # fmt: skip
        reference = f", J of the first epoch {result.reference:.5g}" * isinstance(task, Workload)
        parts += [f"### {task.name}: {task.words}", f"{flops}{reference}.", details(result)]
    return "\n\n".join(parts) + "\n"
