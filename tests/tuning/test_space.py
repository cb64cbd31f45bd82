"""Search spaces: what is declared is checked against the model's options in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbench.api import Config, ModelSpec, UsageError
from benchbench.registry import Registry
from benchbench.tuning.space import Range, embedded_spaces, read_space


class Options(Config):
    width: int = 8
    lr: float = 0.1
    mode: str = "a"


class Drawing(Config):
    steps: int = 4


SPEC = ModelSpec(
    name="toy",
    family="toy",
    kinds=frozenset({"points"}),
    implementation="nowhere:Toy",
    config=Options,
    sampling=Drawing,
)


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "toy.yaml").write_text(text)
    return tmp_path


def test_ranges_and_choices(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        "points:\n  width: {low: 4, high: 16}\n  lr: {low: 0.001, high: 1.0, log: true}\n"
        "  mode: [a, b]\n",
    )
    space = read_space(SPEC, "points", folder)
    assert space["width"] == Range(low=4, high=16)
    assert isinstance(space["width"], Range) and space["width"].whole
    assert isinstance(space["lr"], Range) and not space["lr"].whole
    assert space["mode"] == ("a", "b")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("points: {widht: [1, 2]}", "did you mean 'width'"),
        ("points: {steps: [1, 2]}", "'steps' is a sampling option"),
        ("point: {width: [1, 2]}", "did you mean 'points'"),
        ("image: {width: [1, 2]}", "names no options for points"),
        ("points: {width: [1, wide]}", "points.width: width is 'wide'"),
        ("points: {width: {low: 4.5, high: 8}}", "points.width: width is 4.5"),
        ("points: {width: {low: 8, high: 4}}", "must be less than high"),
        ("points: {lr: {low: 0, high: 1, log: true}}", "log needs low > 0"),
        ("points: {lr: {low: 0.1, hihg: 1}}", "hihg"),
        ("points: {lr: []}", "is an empty list"),
        ("points: {lr: 3}", "give a list of values"),
        ("points: [", "not readable as YAML"),
        ("- 1", "no mapping"),
    ],
)
def test_a_slip_is_one_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_space(SPEC, "points", written(tmp_path, text))
    assert part in str(caught.value)
    assert "toy.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_names_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("points: {}")
    with pytest.raises(UsageError, match=r"write '.*toy.yaml'.*there: other"):
        read_space(SPEC, "points", tmp_path)


def test_every_model_of_the_bench_has_a_space_for_each_kind_it_serves() -> None:
    registry = Registry.load()
    specs = [entry.spec for entry in registry.models.values() if not entry.spec.external]
    built_in = [spec for spec in specs if registry.model(spec.name).owner.startswith("benchbench")]
    assert {"ae", "ddpm", "gan", "gan-ns", "ldm", "vae"} <= {spec.name for spec in built_in}
    for spec in built_in:
        for kind in sorted(spec.kinds):
            assert read_space(spec, kind, embedded_spaces())
    names = {spec.name for spec in built_in}
    assert {file.stem for file in embedded_spaces().glob("*.yaml")} == names
