"""What a cell reads beside its plan, for nodes that do not share the driver's files.

Files of a data set (where its spec tells where they lie), weights that the user named, and plugin
files go into Ray's object store once a run; a node fetches them when its first cell needs them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from benchbench.api import Assets
from benchbench.registry import Registry, resolve
from benchbench.runner.plan import Plan
from benchbench.runner.ray_node import Freight

__all__ = ["Store"]


class Store:
    """Freight of a run, put into the object store when a cell first needs it."""

    def __init__(self, registry: Registry, put: Any) -> None:
        """put: takes a value, gives its reference (`ray.put`)."""
        self._registry, self._put = registry, put
        self._items: dict[tuple[str, str], Freight | None] = {}

    def of(self, plan: Plan) -> tuple[Freight, ...]:
        """What the cells of a plan read."""
        wanted = [("plugin", path) for path in plan.plugins]
        wanted += [(name, str(path)) for name, path in plan.assets.weights.items()]
        found = [self._item(role, Path(path)) for role, path in wanted]
        for dataset in dict.fromkeys(cell.dataset for cell in plan.cells):
            found.append(self._data(dataset, plan.assets))
        return tuple(item for item in found if item is not None)

    def _data(self, name: str, assets: Assets) -> Freight | None:
        entry = self._registry.dataset(name)
        if not entry.spec.where:
            return None
        place = resolve(entry.spec.where, entry.owner)(entry.spec, assets)
        return self._item("data", Path(place)) if place else None

    def _item(self, role: str, path: Path) -> Freight | None:
        key = role, str(path)
        if key not in self._items:
            self._items[key] = self._load(role, path)
        return self._items[key]

    def _load(self, role: str, path: Path) -> Freight | None:
        inner = sorted(path.rglob("*")) if path.is_dir() else [path]
        files = {
            str(file.relative_to(path.parent)): file.read_bytes()
            for file in inner
            if file.is_file()
        }
        state = hashlib.sha256()
        for name, content in files.items():
            state.update(f"{name}\0{len(content)}\0".encode() + content)
        return Freight(role, path.name, state.hexdigest(), self._put(files)) if files else None
