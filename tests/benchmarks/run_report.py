"""Size of a report of 50 models × 5 data sets × 5 seeds, with samples of every row and snapshots,
and how long a sort takes in headless Chromium.

    python tests/benchmarks/run_report.py [--models 50] [--seeds 5] [--out FOLDER]

No model is trained: samples are training examples with noise, scores are random numbers. Exits
with 1 where the file is 10 MB or more, or a sort takes a second or more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbench.api import Assets, Score
from benchbench.api.data import Dataset
from benchbench.registry import Registry
from benchbench.report.page.write import write_report
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.suite import Suite
from benchbench.store.folder import ResultFolder
from benchbench.store.samples import write_samples
from benchbench.store.scores import REFERENCE_MODEL, score_row

DATASETS = ("grid25", "ring8", "digits", "stacked-digits", "pulse")
QUALITY = ("modes", "mode_kl", "hq_share", "fid", "precision", "recall", "density", "coverage")
COST = ("samples_per_second", "latency_p50_ms", "nfe", "parameters")
SCORES = (*QUALITY, *COST)
SAMPLES, NOISE = 2_500, 0.3
MOST_MEGABYTES, MOST_SECONDS = 10.0, 1.0
SORT = """() => {
    const buttons = [...document.querySelectorAll('#comparison th[aria-sort] button')];
    const seconds = buttons.map((button) => {
        const began = performance.now();
        button.click();
        document.body.getBoundingClientRect();
        return (performance.now() - began) / 1000;
    });
    return [buttons.length, Math.max(...seconds)];
}"""


def main() -> int:
    """Make the folder, write its report, sort its tables; 0 where both limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = given.out or Path(temporary) / "report-size"
        registry = Registry.load()
        fill(out, registry, given.models, given.seeds)
        began = time.perf_counter()
        write_report([out], out / "report.html", registry)
        seconds = time.perf_counter() - began
        megabytes = (out / "report.html").stat().st_size / 1e6
        print(f"{megabytes:.2f} MB, written in {seconds:.1f} s")
        sorts, slowest = sorted_in_chromium(out / "report.html")
        print(f"{sorts} sorts, the slowest {1000 * slowest:.0f} ms")
    return int(megabytes >= MOST_MEGABYTES or slowest >= MOST_SECONDS)


def fill(out: Path, registry: Registry, models: int, seeds: int) -> None:
    """A result folder that looks like the end of a run."""
    suite = {
        "name": "report-size",
        "models": tuple(f"vae[latent_dim={k}]" for k in range(1, models + 1)),
        "datasets": DATASETS,
        "seeds": tuple(range(seeds)),
        "budget": "600step",
        "fractions": (0.5,),
        "metrics": {"modes": {"n": 500}},
    }
    plan: Plan = resolve_plan(
        check_suite(Suite.model_validate(suite), registry), registry, Assets()
    )
    folder = ResultFolder(out)
    out.mkdir(parents=True)
    folder.write_plan(plan.to_json())
    specs, rows = registry.score_specs(), []
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    datasets = {name: registry.load_dataset(name, Assets()) for name in DATASETS}
    for cell in plan.cells:
        files = folder.cell(cell.folder)
        files.path.mkdir(parents=True)
        files.write_status({"status": "done"})
        if cell.seed in (0, None):
            for variant in cell.variants:
                raw = noisy(datasets[cell.dataset], generator)
                write_samples(files.samples(variant.label), raw, "key")
        for name in SCORES if cell.model != REFERENCE_MODEL else ():
            for part in (0.5, 1.0):
                rows.append(
                    score_row(
                        Score(name, float(rng.gamma(4.0 + (cell.seed or 0), 1.0))),
                        specs[name],
                        dataset=cell.dataset,
                        model=cell.model,
                        config=cell.config_label,
                        budget=cell.budget,
                        variant="",
                        seed=cell.seed,
                        cell_key=cell.key,
                        at_fraction=part,
                    )
                )
    folder.write_scores(rows)


def noisy(dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Training examples with noise of a part of their spread, as stored."""
    raw = dataset.train.raw[:SAMPLES].float()
    moved = raw + torch.randn(raw.shape, generator=generator) * raw.std() * NOISE
    levels = dataset.info.levels
    return moved if levels is None else moved.clamp(0, levels - 1).round().to(torch.uint8)


def sorted_in_chromium(path: Path) -> tuple[int, float]:
    """How many columns there are to sort by, and the seconds of the slowest."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(path.resolve().as_uri())
        sorts, slowest = page.evaluate(SORT)
        browser.close()
    return int(sorts), float(slowest)


if __name__ == "__main__":
    sys.exit(main())
