"""Reading rows, options and seeds."""

from __future__ import annotations

import types

import pytest
from pydantic import Field

from benchbench.api import Config, ModelSpec, UsageError
from benchbench.registry import Entry, Registry
from benchbench.runner.selection import read_seeds, select_models


class Training(Config):
    width: int = Field(8, ge=1)
    loss: str = "mse"


class Sampling(Config):
    steps: int = Field(4, ge=1)
    sampler: str = "heun"


@pytest.fixture
def registry() -> Registry:
    spec = ModelSpec("toy", "f", frozenset({"points"}), types.new_class("T"), Training, Sampling)
    return Registry(models={"toy": Entry(spec, "tests", "1")})


def test_variants_share_one_training(registry: Registry) -> None:
    names = ["toy", "toy[steps=8]", "toy[sampler=sde,steps=2]", "toy[steps=8]", "toy[width=16]"]
    plain, wide = select_models(names, {}, registry)
    assert [v.label for v in plain.variants] == ["", "steps=8", "sampler=sde,steps=2"]
    assert plain.variants[1].sampling == {"steps": 8, "sampler": "heun"}
    assert (wide.config_label, [v.label for v in wide.variants]) == ("width=16", [""])


def test_settings_apply_to_every_row_of_a_model(registry: Registry) -> None:
    (run,) = select_models(["toy", "toy[steps=2]"], {"toy.width": "32"}, registry)
    assert run.config.width == 32
    assert run.config_label == "width=32"


@pytest.mark.parametrize(
    ("names", "settings", "part"),
    [
        (["tpy"], {}, "did you mean 'toy'"),
        (["toy[stepz=3]"], {}, "did you mean 'steps'"),
        (["toy[steps=0]"], {}, "toy.steps is 0"),
        (["toy[steps=many]"], {}, "toy.steps is 'many'"),
        (["toy[steps=3"], {}, "unbalanced"),
        (["toy[steps]"], {}, "not key=value"),
        (["toy"], {"toy.widht": 3}, "did you mean 'toy.width'"),
        (["toy"], {"toy.steps": 3}, "sampling option"),
        (["toy"], {"width": 3}, "model.option=value"),
        (["toy"], {"other.width": 3}, "unknown model 'other'"),
        ([], {}, "no model"),
    ],
)
def test_refused(
    registry: Registry, names: list[str], settings: dict[str, object], part: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select_models(names, settings, registry)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "a", "1,,2", "-1", "3-1", "0-99999", "1,1", "1.5", "0-2,1", "99999999999", "²"]
)
def test_seeds_refused(text: str) -> None:
    with pytest.raises(UsageError, match="seed list"):
        read_seeds(text)
