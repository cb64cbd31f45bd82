"""Where the numbers come from: failures, hardware and versions, hashes, the command to rerun."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from benchbench.registry import Registry
from benchbench.report.page.charts import Grid
from benchbench.report.page.sources import Result
from benchbench.runner.plan import Cell, Plan
from benchbench.store.scores import CONTROL_MODEL, EXTERNAL, REFERENCE_MODEL

__all__ = ["Origin", "failures", "origin", "rerun"]

_NOT_MODELS = (REFERENCE_MODEL, CONTROL_MODEL)
_FINE = ("done", "missing")
_MAX_REASON = 400


@dataclass(frozen=True)
class Origin:
    """What a page states of one folder. commands: shell lines that make the same plan again."""

    name: str
    path: str
    facts: tuple[tuple[str, str], ...]
    cells: Grid
    measures: Grid
    commands: tuple[str, ...]
    gaps: tuple[str, ...]


def failures(results: Sequence[Result]) -> Grid:
    """Cells that did not end well, and single scores that failed in cells that did."""
    lines: list[tuple[str, ...]] = []
    for result in results:
        for cell in result.cells:
            status = result.statuses[cell.key]
            if status["status"] not in _FINE:
                reason = str(status.get("reason", "") or _unfinished(status["status"]))
                lines.append((result.name, cell.title, str(status["status"]), _clip(reason)))
        lines += _failed_scores(result)
    return Grid(
        "Cells and scores that failed",
        ("run", "where", "status", "reason"),
        tuple(dict.fromkeys(lines)),
    )


def _failed_scores(result: Result) -> Iterable[tuple[str, ...]]:
    bad = result.scores[result.scores.status == "error"]
    for r in bad.to_dict("records"):
        options = ",".join(part for part in (r["config"], r["variant"]) if part)
        model = f"{r['model']}[{options}]" if options else r["model"]
        seed = "" if not isinstance(r["seed"], int) else f" seed {r['seed']}"
        where = f"{r['dataset']} {model}{seed}: {r['metric']}"
        yield result.name, where, "error", _clip(str(r["reason"]))


def origin(result: Result, registry: Registry) -> Origin:
    """Versions, seeds and hashes of one folder."""
    return Origin(
        result.name,
        str(result.folder.path),
        _facts(result),
        _cells(result),
        _measures(result.cells, result.name),
        tuple(rerun(result.plan, str(result.folder.path), registry)) if result.plan else (),
        result.gaps,
    )


def _facts(result: Result) -> tuple[tuple[str, str], ...]:
    facts = dict(result.context)
    cells = result.cells
    if result.plan is not None:
        facts.setdefault("suite", result.plan.name)
        facts["plan written by"] = f"benchbench {result.plan.version}"
    seeds = sorted({c.seed for c in cells if c.seed is not None and c.model not in _NOT_MODELS})
    platforms = {
        str(provenance["platform"])
        for status in result.statuses.values()
        if (provenance := status.get("provenance")) and "platform" in provenance
    }
    more = {
        "platform": ", ".join(sorted(platforms)),
        "device": ", ".join(dict.fromkeys(c.device for c in cells)),
        "seeds": ", ".join(map(str, seeds)),
        "training budget": ", ".join(dict.fromkeys(c.budget for c in cells if c.budget)),
        "plugin files": ", ".join(result.plan.plugins) if result.plan else "",
    }
    for note in result.plan.notes if result.plan else ():
        more[f"note {len(more)}"] = note
    return tuple((k, v) for k, v in {**facts, **more}.items() if v)


def _cells(result: Result) -> Grid:
    lines = []
    for cell in result.cells:
        status: Mapping[str, Any] = {"status": "–"} if result.bare else result.statuses[cell.key]
        spend = status.get("spend") or {}
        seconds = spend.get("s")
        lines.append(
            (
                cell.title,
                str(status["status"]),
                cell.budget or "–",
                f"{spend['flop']:.3g}" if "flop" in spend else "–",
                f"{seconds:.1f}" if isinstance(seconds, int | float) else "–",
                cell.key,
            )
        )
    head = ("cell", "status", "budget", "train FLOP", "train s", "training key")
    return Grid(f"Cells of {result.name}", head, tuple(lines))


def _measures(cells: Sequence[Cell], name: str) -> Grid:
    """Hashes of the metrics' sources and of the feature maps."""
    found: dict[tuple[str, ...], None] = {}
    for cell in cells:
        for metric in cell.metrics:
            options = json.dumps(metric.config, sort_keys=True) if metric.config else "–"
            found["metric " + metric.name, options, metric.source] = None
        for what, named in (("features", cell.extractor), ("reader", cell.reader)):
            if named.name:
                found[f"{what} {named.name}", "–", named.digest] = None
    return Grid(f"What {name} was measured by", ("what", "options", "hash"), tuple(found))


# --- the command ---------------------------------------------------------------------------------


def rerun(plan: Plan, out: str, registry: Registry) -> list[str]:
    """Shell lines that plan the same cells again, from the same sources and data.

    Cells that differ only in data set, model or seed share a command. What the command line has no
    option for (options of metrics, another precision, a ceiling) goes through a suite file.
    """
    trained = [c for c in plan.cells if c.model not in _NOT_MODELS and not c.given]
    by_cell: dict[str, dict[str, list[Any]]] = {}
    for cell in trained:
        key = json.dumps([_settings(cell, plan, registry), cell.dataset], sort_keys=True)
        group = by_cell.setdefault(key, {"models": [], "seeds": []})
        group["models"] += [row for row in _rows(cell) if row not in group["models"]]
        group["seeds"] += [cell.seed] if cell.seed not in group["seeds"] else []
    suites: dict[str, list[str]] = {}
    for key, group in by_cell.items():
        settings, dataset = json.loads(key)
        suite = json.dumps({**group, **settings}, sort_keys=True)
        suites.setdefault(suite, []).append(dataset)
    return [
        _command({**json.loads(suite), "datasets": names}, plan, out, number)
        for number, (suite, names) in enumerate(suites.items())
    ] + [_evaluation(cell, out) for cell in plan.cells if cell.given]


def _evaluation(cell: Cell, out: str) -> str:
    """The command that measures samples from elsewhere."""
    words = [cell.given["path"], "--dataset", cell.dataset, "--name", cell.model, "--out", out]
    return f"bench eval {shlex.join(words)}"


def _settings(cell: Cell, plan: Plan, registry: Registry) -> dict[str, Any]:
    """The suite's keys that differ from its defaults, those of one cell."""
    entry = registry.datasets.get(cell.dataset.partition(":")[0])
    own = entry.spec.extractor if entry else cell.extractor.name
    here = [c.model for c in plan.cells if c.dataset == cell.dataset]
    usual = "bfloat16" if cell.device.startswith("cuda") else "float32"
    found = {
        "name": plan.name,
        "budget": "" if cell.budget == EXTERNAL else cell.budget,
        "fractions": list(cell.fractions),
        "ceiling_seconds": cell.ceiling_seconds,
        "metrics": _chosen_metrics(cell, registry),
        "extractor": "" if cell.extractor.name in ("", own) else cell.extractor.name,
        "threads": cell.threads,
        "device": cell.device,
        "precision": "" if cell.precision == usual else cell.precision,
        "controls": CONTROL_MODEL in here,
        "plugins": list(plan.plugins),
    }
    return {key: value for key, value in found.items() if value}


def _chosen_metrics(cell: Cell, registry: Registry) -> dict[str, Any]:
    """What differs from all metrics with their defaults: each by name, with its changed options."""
    chosen = {}
    for metric in cell.metrics:
        entry = registry.metrics.get(metric.name)
        usual = entry.spec.config().model_dump(mode="json") if entry else {}
        chosen[metric.name] = {k: v for k, v in metric.config.items() if usual.get(k, ...) != v}
    everything = chosen.keys() == registry.metrics.keys() and not any(chosen.values())
    return {} if everything else chosen


def _rows(cell: Cell) -> list[str]:
    options = (
        ",".join(part for part in (cell.config_label, variant.label) if part)
        for variant in cell.variants
    )
    return [f"{cell.model}[{text}]" if text else cell.model for text in options]


def _command(suite: Mapping[str, Any], plan: Plan, out: str, number: int) -> str:
    first, *others = map(str, plan.assets.folders) if plan.assets.folders else ("",)
    weights = plan.assets.weights.get("inception")
    files = [("--data-dir", first), ("--inception-weights", str(weights or "")), ("--out", out)]
    ending = " ".join(f"{option} {shlex.quote(text)}" for option, text in files if text)
    start = f"BENCH_DATA={shlex.quote(os.pathsep.join(others))} " if others else ""
    if not _needs_file(suite):
        return f"{start}bench run {_options(suite)} {ending}"
    file = f"rerun{number or ''}.yaml"
    order = {"name": "", "models": "", "datasets": "", "seeds": "", **suite}
    text = yaml.safe_dump(
        order, sort_keys=False, allow_unicode=True, width=88, default_flow_style=None
    )
    return f"cat > {file} <<'SUITE'\n{text}SUITE\n{start}bench run {file} {ending}"


def _needs_file(suite: Mapping[str, Any]) -> bool:
    commas = any("," in name for name in suite["datasets"])
    return commas or "ceiling_seconds" in suite or "precision" in suite or _configured(suite)


def _configured(suite: Mapping[str, Any]) -> bool:
    return any(suite.get("metrics", {}).values())


def _options(suite: Mapping[str, Any]) -> str:
    words = []
    for key in ("models", "datasets", "seeds", "budget", "fractions", "metrics", "extractor"):
        if key in suite:
            value = suite[key]
            text = value if isinstance(value, str) else ",".join(map(str, value))
            words += [f"--{key}", shlex.quote(text)]
    for file in suite.get("plugins", ()):
        words += ["--plugin", shlex.quote(file)]
    for key in ("threads", "device"):
        words += [f"--{key}", shlex.quote(str(suite[key]))]
    return " ".join([*words, *(["--controls"] if "controls" in suite else [])])


def _unfinished(status: str) -> str:
    return "the cell has not ended" if status in ("training", "trained") else ""


def _clip(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 1] + "…"
