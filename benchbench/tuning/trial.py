"""One trial: train with some options, score on validation data."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchbench.api import Assets, Budget, Diverged, NotAvailable
from benchbench.api.errors import describe

if TYPE_CHECKING:
    from benchbench.api import Model
    from benchbench.api.data import Dataset
    from benchbench.registry import Registry
    from benchbench.runner.training import CellTraining

__all__ = ["Job", "Result", "run_trial"]


@dataclass(frozen=True)
class Job:
    """What a trial needs, in a form that another process can be handed.

    plugins: files that the registry loads. objective: the name of a score.
    also: scores to record beside it. options: those that differ from the defaults; sampling: the
    same of how samples are drawn.
    final: whether it belongs to the finals.
    """

    dataset: str
    model: str
    trial: int
    options: dict[str, Any]
    objective: str
    budget: str
    seed: int
    device: str = "cpu"
    threads: int = 1
    plugins: tuple[str, ...] = ()
    assets: Assets = field(default_factory=Assets)
    final: bool = False
    also: tuple[str, ...] = ()
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How a trial ended.

    status: done, diverged, error or timeout. score: of the objective, None where there is none.
    scores: all that the metrics of the objective and of what was asked for beside it measured.
    spend: in every unit of a budget.
    """

    status: str
    score: float | None = None
    reason: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    spend: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    source: str = ""
    torch: str = ""
    device: str = ""


def run_trial(job: Job) -> Result:
    """Train and score in this process; every failure of the model becomes a result.

    Raises BenchError where it is no failure of the model: data, weights or device are not here,
    or the objective does not apply to the data set.
    """
    import torch

    from benchbench.data.held_out import on_validation
    from benchbench.registry import Registry
    from benchbench.runner.device import device_name, resolve_device
    from benchbench.runner.sources import source_hash

    began = time.perf_counter()
    torch.set_num_threads(job.threads)
    device = resolve_device(job.device)
    registry = Registry.load(job.plugins)
    dataset = on_validation(registry.load_dataset(job.dataset, job.assets))
    facts: dict[str, Any] = {
        "source": source_hash(registry.model(job.model).spec.implementation),
        "torch": torch.__version__,
        "device": device_name(device),
    }
    spend: dict[str, float] = {}
    try:
        model, training = _built(job, registry, dataset, device)
        try:
            _fit(model, training)
        finally:
            spend.update(vars(training.ledger.total))
        facts["scores"] = scores = _scores(job, registry, dataset, model)
        facts |= {"status": "done", "score": scores[job.objective]}
    except Diverged as error:
        facts |= {"status": "diverged", "reason": str(error)}
    except NotAvailable:
        raise
    except Exception as error:
        facts |= {"status": "error", "reason": describe(error)}
    return Result(**facts, spend=spend, seconds=time.perf_counter() - began)


def _built(
    job: Job, registry: Registry, dataset: Dataset, device: Any
) -> tuple[Model, CellTraining]:
    import torch

    from benchbench.api.seeding import derive_seed
    from benchbench.registry import resolve
    from benchbench.runner.training import CellTraining

    entry = registry.model(job.model)
    training = CellTraining(dataset, Budget.parse(job.budget), device=device, seed=job.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(job.seed, "init", job.model))
        config = entry.spec.config.model_validate(job.options)
        model = resolve(entry.spec.implementation, entry.owner)(config, dataset.info)
    training.attach(model)
    return model, training


def _fit(model: Model, training: CellTraining) -> None:
    import torch

    from benchbench.runner.training import fit_model

    cuda = training.device.type == "cuda"
    fit_model(model, training, precision="bfloat16" if cuda else "float32")
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise Diverged(f"{name} is not finite after training")


def _scores(job: Job, registry: Registry, dataset: Dataset, model: Model) -> dict[str, float]:
    """What the metrics of the objective and of `also` measure; raises where the objective is none,
    and leaves out what else is not measured on such data."""
    import torch

    from benchbench.api.seeding import derive_seed
    from benchbench.metrics.evaluation import SampleEvaluation
    from benchbench.registry import resolve

    spec, data_spec = registry.model(job.model).spec, registry.dataset(job.dataset).spec
    own = data_spec.extractor
    evaluation = SampleEvaluation(
        dataset,
        data_spec,
        extractor=registry.load_extractor(own, job.assets) if own else None,
        device=next(iter(model.state_dict().values())).device,
        seed=derive_seed(job.seed, "evaluate", ""),
        model=model,
        capabilities=spec.capabilities,
        sampling=spec.sampling.model_validate(job.sampling).model_dump(mode="json"),
        cache=job.assets.cache,
    )
    decisive, *beside = map(registry.metric, (job.objective, *job.also))
    metrics = {m.spec.name: m for m in beside if data_spec.kind in m.spec.kinds}
    found = []
    for metric in ({decisive.spec.name: decisive} | metrics).values():
        compute = resolve(metric.spec.implementation, metric.owner)
        try:
            with torch.random.fork_rng(devices=[]):
                found += compute(evaluation, metric.spec.config())
        except NotAvailable:
            if metric.spec.name == decisive.spec.name:
                raise
    wanted = next((score for score in found if score.metric == job.objective), None)
    if wanted is None or wanted.value is None:
        why = wanted.reason if wanted else f"{decisive.spec.name} did not give it"
        raise NotAvailable(f"{job.objective} of {job.model} on {job.dataset}: {why}")
    return {s.metric: s.value for s in found if s.value is not None and not s.condition}
