"""One cell: train (or take up again, or reload), then measure what has no score yet."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict
from typing import Any

import torch

from benchbench import __version__
from benchbench.api import Assets, Budget, Diverged, ModelSpec, PluginError, UsageError
from benchbench.api.model import Model
from benchbench.api.seeding import derive_seed
from benchbench.registry import Registry, resolve
from benchbench.runner.checkpoint import load_state, save_state
from benchbench.runner.device import processor_name
from benchbench.runner.external import load_external
from benchbench.runner.measuring import Emit, Measuring
from benchbench.runner.plan import Cell
from benchbench.runner.stopping import Stop
from benchbench.runner.training import CellTraining, Interrupted, fit_model
from benchbench.store.folder import CellFolder
from benchbench.store.scores import CONTROL_MODEL, REFERENCE_MODEL

__all__ = ["CellRun"]

CHECKPOINT_SECONDS = 120.0
"""Between two checkpoints; more where writing one takes over `CHECKPOINT_SHARE` of it."""
CHECKPOINT_SHARE = 0.02


class CellRun:
    """Runs one cell in this process.

    emit: takes JSON-ready events for the progress display.
    stop: asked between steps; a request ends the training after a checkpoint.
    """

    def __init__(
        self,
        cell: Cell,
        registry: Registry,
        folder: CellFolder,
        assets: Assets,
        emit: Emit,
        stop: Stop | None = None,
    ) -> None:
        self.cell, self.registry, self.folder = cell, registry, folder
        self.emit, self.stop = emit, stop or Stop()
        self.device = torch.device(cell.device)
        self.model: Model | None = None
        self.model_spec: ModelSpec | None = None
        if cell.model not in (REFERENCE_MODEL, CONTROL_MODEL) and not cell.given:
            self.model_spec = registry.model(cell.model).spec
        self.measuring = Measuring(cell, registry, folder, assets, emit, self.model_spec)
        self.dataset = self.measuring.dataset
        if cell.data and self.dataset.digest != cell.data:
            raise UsageError(
                f"data set {cell.dataset!r} has changed since the plan was made ({cell.data} then, "
                f"{self.dataset.digest} now); run the same command again"
            )
        self._snapshots = list(cell.fractions)

    def run(self) -> dict[str, Any]:
        """Do all that is missing; the final status, as in cell.json."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        status = self.folder.status()
        try:
            if self.model_spec is not None:
                reason = self._unserved()
                if reason:
                    self.measuring.skip(reason)
                    skipped = {"status": "skipped", "reason": reason, "cell": asdict(self.cell)}
                    self.folder.write_status(skipped)
                    return skipped
                external = self.model_spec.external
                status = self._loaded() if external else self._trained(status)
            began = time.perf_counter()
            errors = self.measuring.scores(self.model, self.stop)
            spent = status.get("measure_seconds", 0.0) + time.perf_counter() - began
            status = {**status, "measure_seconds": spent}
            final = {"status": "error", "reason": errors[0]} if errors else {"status": "done"}
        except Diverged as error:
            final = {"status": "diverged", "reason": str(error)}
        except Interrupted:
            final = {"status": "interrupted", "reason": "stopped by the user"}
        status = {**status, "reason": "", **final}
        self.folder.write_status(status)
        return status

    # --- training ------------------------------------------------------------------------------

    def _loaded(self) -> dict[str, Any]:
        """Fill `self.model` with a model that was trained elsewhere."""
        assert self.model_spec is not None
        entry = self.registry.model(self.cell.model)
        config = self.model_spec.config.model_validate(self.cell.config)
        model = load_external(entry, config, self.dataset.info)
        self.model = model.to(self.device).eval()
        return {"provenance": self._provenance(), "cell": asdict(self.cell)}

    def _unserved(self) -> str:
        assert self.model_spec is not None
        if self.dataset.info.kind in self.model_spec.kinds:
            return ""
        served = ", ".join(sorted(self.model_spec.kinds))
        return f"{self.cell.model} serves {served}; {self.cell.dataset} is {self.dataset.info.kind}"

    def _trained(self, status: dict[str, Any]) -> dict[str, Any]:
        """Train, or load the model that was trained before; fills `self.model`."""
        assert self.model_spec is not None
        model, training = self._build()
        if self.folder.model.is_file() and "ledger" in status:
            training.ledger.restore(status["ledger"])
            if model.built_in_fit:
                training.replay()
                fit_model(model, training, precision=self.cell.precision)
            model.load_state_dict(load_state(self.folder.model))
            self.model = model.to(self.device).eval()
            self.folder.checkpoint.unlink(missing_ok=True)
            return status
        if self.folder.checkpoint.is_file():
            training.restore(load_state(self.folder.checkpoint))
            self.folder.cut_log({phase: spend.step for phase, spend in training.spend.items()})
        else:
            self.folder.clear()  # nothing of another training stands beside this one
        began = time.time()
        base = {"provenance": self._provenance(), "cell": asdict(self.cell)}
        self.folder.write_status({**base, "status": "training"})
        with self.stop.deferred():
            fit_model(model, training, precision=self.cell.precision)
            self._check_finite(model)
            save_state(self.folder.model, model.state_dict())
            self.model = model
            status = {**base, **self._spend(training), "wall_seconds": time.time() - began}
            status["files"] = self.folder.log_digests()
            self.folder.write_status({**status, "status": "trained"})
            # Until the status is on disk, the checkpoint is what a killed cell goes on from.
            self.folder.checkpoint.unlink(missing_ok=True)
        return status

    def _build(self) -> tuple[Model, CellTraining]:
        assert self.model_spec is not None
        cell, spec = self.cell, self.model_spec
        assert cell.seed is not None
        training = CellTraining(
            self.dataset,
            Budget.parse(cell.budget, cell.ceiling_seconds),
            device=self.device,
            seed=cell.seed,
            on_log=self._on_log,
            on_step=self._on_step,
        )
        self._training, self._saved_at, self._pause = training, time.monotonic(), 0.0
        implementation = resolve(spec.implementation, self.registry.model(cell.model).owner)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(cell.seed, "init", cell.model))
            model = implementation(spec.config.model_validate(cell.config), self.dataset.info)
        if not isinstance(model, Model):
            raise PluginError(f"{cell.model}: the implementation is no benchbench.api.Model")
        training.attach(model)
        self._building = model
        return model, training

    def _on_log(self, line: dict[str, Any]) -> None:
        self.folder.append_log(line)
        self.emit({"event": "train", **line})

    def _on_step(self) -> None:
        while self._snapshots and self._training.ledger.fraction >= self._snapshots[0]:
            fraction = self._snapshots.pop(0)
            if not self._building.built_in_fit:
                with self._training.paused():
                    self.measuring.snapshot(self._building, fraction)
        stop = self.stop.requested
        began = time.monotonic()
        if not stop and began - self._saved_at < max(CHECKPOINT_SECONDS, self._pause):
            return
        with self._training.paused():
            if self._training.resumable:
                save_state(self.folder.checkpoint, self._training.state())
        self._saved_at = time.monotonic()
        self._pause = (self._saved_at - began) / CHECKPOINT_SHARE
        if stop:
            raise Interrupted

    def _check_finite(self, model: Model) -> None:
        for name, value in model.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise Diverged(f"{name} is not finite after training")

    def _spend(self, training: CellTraining) -> dict[str, Any]:
        ledger = training.ledger
        return {
            "spend": asdict(ledger.total),
            "phases": {phase.name: asdict(phase.spend) for phase in ledger.phases},
            "ceiling_reached": ledger.ceiling_reached,
            "ledger": ledger.to_json(),
        }

    def _provenance(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        return {
            "benchbench": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": torch.cuda.get_device_name(self.device) if cuda else processor_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "precision": self.cell.precision,
        }
