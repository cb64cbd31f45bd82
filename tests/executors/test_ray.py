"""The Ray executor on a cluster of nodes on this machine: the same scores, and nodes that die."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from placed import FAKE, Heard, fake_folder, fake_plan, first_step, statuses

from benchbench.api import Assets, UsageError
from benchbench.data.idx import FASHION_MNIST
from benchbench.registry import Registry
from benchbench.runner import cell as cell_module
from benchbench.runner.plan import Plan, check_suite, resolve_plan
from benchbench.runner.ray_executor import RayExecutor, RayPlacement
from benchbench.runner.ray_freight import Store
from benchbench.runner.ray_node import _unload
from benchbench.runner.run import Run
from benchbench.runner.suite import Suite
from benchbench.store.folder import ResultFolder

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'benchbench[ray]'")

STEADY = Path(__file__).with_name("steady.py")
TIMINGS = ("train_seconds",)
WAIT = 300.0
QUICK = {
    "worker_niceness": 0,
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 5,
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where `steady` notes the steps at which it began; set before there are nodes."""
    path = tmp_path_factory.mktemp("steady") / "notes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADY_NOTES", str(path))
        patch.setenv("STEADY_GO", str(path.with_name("go")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        here = f"{Path(__file__).parents[2]}"
        patch.setenv("PYTHONPATH", os.pathsep.join([here, f"{here}/plugins"]))
        yield path


@pytest.fixture(scope="module")
def cluster(notes: Path) -> Iterator[Any]:
    """A head that runs no cells, and two nodes of one CPU each."""
    found = started()
    ray.init(address=found.address, log_to_driver=False, logging_level="error")
    yield found
    ray.shutdown()
    found.shutdown()


def started() -> Any:
    """Ray gives up where a node's helpers take over 15 seconds, as they do on a busy machine."""
    from ray.cluster_utils import Cluster

    for _ in range(3):
        found = Cluster()
        try:
            found.add_node(
                num_cpus=0,
                include_dashboard=False,
                no_monitor=True,
                include_log_monitor=False,
                _system_config=QUICK,
            )
            for _ in range(2):
                found.add_node(num_cpus=1, include_log_monitor=False)
        except Exception as error:
            reason = " ".join(str(error).split())
            found.shutdown()
        else:
            return found
    pytest.skip(f"Ray starts no cluster here: {reason}")


def executor(plan: Plan, folder: ResultFolder, heard: Heard, **more: Any) -> RayExecutor:
    options = {"jobs": None, "timeout": None, "command": FAKE, **heard.callbacks}
    placement = RayPlacement(files=more.pop("files", "auto"))
    return RayExecutor(placement, plan, folder, **{**options, **more})


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def meanwhile(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("files", ["auto", "stream"])
def test_cells_run_and_tell_in_order(cluster: Any, tmp_path: Path, files: str) -> None:
    plan, heard = fake_plan(6, steps=2, pause=0.3), Heard()
    folder = fake_folder(tmp_path, plan)
    outcomes = executor(plan, folder, heard, files=files).run(plan.cells)
    assert statuses(outcomes) == {cell.key: "done" for cell in plan.cells}
    assert statuses(heard.ended) == statuses(outcomes)
    for cell in plan.cells:
        assert heard.kinds(cell) == ["start", "train", "train"]
        assert first_step(folder, cell) == 0
    assert [path.name for path in tmp_path.glob(".ray-*")] == []
    times = [folder.cell(cell.folder).status()["times"] for cell in plan.cells]
    at_once = [sum(a <= moment < b for a, b in times) for moment, _ in times]
    assert max(at_once) <= 2  # a cell keeps its CPU, also while it waits for the desk


def test_a_cell_has_its_time(cluster: Any, tmp_path: Path) -> None:
    plan, heard = fake_plan(1, steps=1000, pause=0.1), Heard()
    folder = fake_folder(tmp_path, plan)
    (outcome,) = executor(plan, folder, heard, timeout=2.0, files="stream").run(plan.cells)
    assert (outcome.status, outcome.reason) == ("timeout", "took longer than 2 s")
    assert folder.cell(plan.cells[0].folder).status()["status"] == "timeout"


def test_ctrl_c_brings_checkpoints_home(cluster: Any, tmp_path: Path) -> None:
    plan, heard = fake_plan(5, steps=1000, pause=0.05), Heard()
    folder = fake_folder(tmp_path, plan)

    def stop() -> None:
        until(lambda: any(event["event"] == "train" for _, event in heard.events))
        os.kill(os.getpid(), signal.SIGINT)

    thread = meanwhile(stop)
    outcomes = executor(plan, folder, heard, files="stream").run(plan.cells)
    thread.join()
    assert set(statuses(outcomes).values()) == {"interrupted"}
    assert len(outcomes) == 5
    trained = {cell.key for cell, event in heard.events if event["event"] == "train"}
    kept = {c.key for c in plan.cells if folder.cell(c.folder).checkpoint.is_file()}
    assert trained <= kept
    assert len(kept) <= 2 < len(plan.cells)  # two CPUs: the others had not begun


def test_a_task_that_can_not_start_is_an_error(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchbench.runner.ray_executor.code_digest", lambda: "of another version")
    plan, heard = fake_plan(1), Heard()
    (outcome,) = executor(plan, fake_folder(tmp_path, plan), heard).run(plan.cells)
    assert outcome.status == "error"
    assert "another benchbench or another torch" in outcome.reason


def test_a_lost_node_loses_nothing(
    cluster: Any, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cells train on two nodes; one dies; both end with the scores of a run that was left
    alone, and the one that had begun goes on where its last checkpoint was."""
    for name in ("CHECKPOINT_SECONDS", "CHECKPOINT_SHARE"):  # `steady` sets them here as well
        monkeypatch.setattr(cell_module, name, getattr(cell_module, name))
    registry = Registry.load([STEADY])
    plan = steady_plan(registry)
    go = notes.with_name("go")
    go.touch()
    alone = Run(plan, registry, tmp_path / "alone", jobs=2)
    silent = Heard()
    alone.execute(silent.on_event, silent.on_end)
    assert {outcome.status for outcome in silent.ended} == {"done"}
    notes.unlink()
    go.unlink()

    heard = Heard()
    placed = Run(plan, registry, tmp_path / "placed", placement=RayPlacement(files="stream"))
    trained = [c for c in plan.cells if c.model == "steady"]
    checkpoints = [placed.folder.cell(c.folder).checkpoint for c in trained]
    victim = cluster.list_all_nodes()[-1]

    def kill() -> None:
        try:
            until(lambda: all(checkpoint.is_file() for checkpoint in checkpoints))
            cluster.remove_node(victim, allow_graceful=False)
            until(lambda: any(event["event"] == "lost" for _, event in heard.events))
        finally:  # only now: what its node has left running must not end the training first
            go.touch()

    thread = meanwhile(kill)
    outcomes = placed.execute(heard.on_event, heard.on_end)
    thread.join()
    cluster.add_node(num_cpus=1, include_log_monitor=False)
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert len(outcomes) == len(plan.cells)
    lost = [c for c, event in heard.events if event["event"] == "lost"]
    assert len(lost) == 1
    starts = [int(line) for line in notes.read_text().split()]
    assert sorted(starts)[:2] == [0, 0]
    assert len(starts) == 3
    assert max(starts) > 0
    pd.testing.assert_frame_equal(
        untimed(placed.scores()), untimed(alone.scores()), check_exact=True
    )


def steady_plan(registry: Registry) -> Plan:
    suite = Suite.model_validate(
        {
            "name": "steady",
            "models": ("steady",),
            "datasets": ("ring8",),
            "seeds": (0, 1),
            "budget": "10step",
            "metrics": {"modes": {}},
            "plugins": (str(STEADY),),
        }
    )
    return resolve_plan(check_suite(suite, registry), registry, Assets())


def untimed(table: pd.DataFrame) -> pd.DataFrame:
    """The frame without timings: their rows, and the seconds in the details of spend."""
    table = table[~table.metric.isin(TIMINGS)].copy()
    table.loc[table.metric.str.startswith("train_"), "detail"] = ""
    return table.reset_index(drop=True)


def test_a_node_gets_the_files_that_a_cell_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set in --data-dir, weights and a plugin, through a store, on a node without them."""
    data = tmp_path / "mine" / "FashionMNIST" / "raw"
    data.mkdir(parents=True)
    registry = Registry.load()
    source = _fashion_files(data)
    weights = tmp_path / "inception.safetensors"
    weights.write_bytes(b"weights")
    plugin = tmp_path / "plugin.py"
    plugin.write_text("x = 1")
    (one,) = fake_plan(1).cells
    assets = Assets((tmp_path / "mine",), weights={"inception": weights})
    plan = Plan("x", (replace(one, dataset="fashion-mnist"),), (str(plugin),), assets)
    puts: list[dict[str, bytes]] = []
    store = Store(registry, lambda files: puts.append(files) or files)
    freight = store.of(plan)
    assert {item.role for item in freight} == {"data", "inception", "plugin"}
    store.of(plan)
    assert len(puts) == 3  # once a run

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
    monkeypatch.setattr(ray, "get", lambda reference: reference)
    there = _unload(plan, freight)
    assert there.cells == plan.cells
    assert Path(there.plugins[0]).read_text() == "x = 1"
    assert there.assets.weights["inception"].read_bytes() == b"weights"
    place = registry.where("fashion-mnist", there.assets)
    assert place.startswith(str(tmp_path / "node"))
    assert {p.name: p.read_bytes() for p in Path(place).iterdir()} == source
    monkeypatch.setattr(ray, "get", lambda reference: pytest.fail("it is here already"))
    assert _unload(plan, freight) == there


def _fashion_files(folder: Path) -> dict[str, bytes]:
    for file in FASHION_MNIST.files:
        (folder / file.name).write_bytes(file.name.encode())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_more_than_there_is_is_refused(tmp_path: Path) -> None:
    plan, heard = fake_plan(1), Heard()
    folder = fake_folder(tmp_path, plan)
    found = RayExecutor(
        RayPlacement(gpus=64), plan, folder, jobs=None, timeout=None, **heard.callbacks
    )

    class Small:
        """A cluster of one machine, as Ray tells of it."""

        @staticmethod
        def nodes() -> list[dict[str, Any]]:
            return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    found._ray, found._address = Small, "local"
    with pytest.raises(UsageError, match="a cell asks for 1 CPU, 64 GPU"):
        found._check_room()


def test_no_cluster_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, heard = fake_plan(1), Heard()
    folder = fake_folder(tmp_path, plan)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance\nat all")

    monkeypatch.setattr(ray, "init", refuse)
    found = RayExecutor(
        RayPlacement(address="nowhere:1"), plan, folder, jobs=1, timeout=None, **heard.callbacks
    )
    with pytest.raises(UsageError, match="no Ray cluster at 'nowhere:1'") as caught:
        found.run(plan.cells)
    assert "\n" not in str(caught.value)
