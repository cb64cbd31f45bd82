"""A data set under check: loaded twice, the first time against the clock."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

from benchbench.api import Assets, DatasetSpec
from benchbench.api.data import Dataset, Split, SplitName
from benchbench.registry import Registry, resolve
from benchbench.testing.outcomes import loaded
from benchbench.testing.states import moved_by
from benchbench.testing.subject import settled

__all__ = ["SECONDS", "SPLITS", "DatasetSubject"]

SECONDS = 300.0
"""How long a data set may take to load: each process of a run does it."""
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


class DatasetSubject:
    """One data set of a plugin.

    spec: as its plugin declares it. owner: who brought it. registry: where its extractor is looked
    up. assets: where its files are. seconds: how long it may take to load.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        owner: str = "",
        *,
        registry: Registry,
        assets: Assets,
        seconds: float = SECONDS,
    ) -> None:
        self.spec, self.owner, self.registry = spec, owner, registry
        self.assets, self.seconds = assets, seconds

    @cached_property
    def _first(self) -> Any:
        """What loading gave, an error included. A load that doesn't end is left to itself."""
        found: list[Any] = []

        def work() -> None:
            try:
                found.append(self._load())
            except (Exception, SystemExit) as error:
                found.append(error)

        worker = threading.Thread(target=work, daemon=True)
        with settled():
            worker.start()
            worker.join(self.seconds)
        return found[0] if found else TimeoutError(f"load is not done after {self.seconds:g} s")

    @property
    def dataset(self) -> Dataset:
        """The data set, loaded once; raises NotApplicable where its files are not here."""
        found: Dataset = loaded(self._first, Dataset)
        return found

    @cached_property
    def again(self) -> tuple[Dataset, list[str]]:
        """The data set, loaded once more, and whose global random states that moved."""
        loaded: list[Dataset] = []
        with settled():
            moved = moved_by(lambda: loaded.append(self._load()))
        return loaded[0], moved

    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {name: self.dataset.split(name) for name in SPLITS}

    def _load(self) -> Dataset:
        return resolve(self.spec.implementation, self.owner or self.spec.name)(
            self.spec, self.assets
        )
