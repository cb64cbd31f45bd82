"""Reading `--models 'ldm,ldm[steps=8],gan[loss=non-saturating]'` into trainings and variants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from benchbench.api import Config, ModelSpec, UsageError, unknown
from benchbench.registry import Entry, Registry
from benchbench.runner.plain_yaml import parse_yaml
from benchbench.runner.suite import MAX_SEED, MAX_SEEDS, describe_invalid

__all__ = [
    "ModelRun",
    "Variant",
    "label",
    "read_options",
    "read_seeds",
    "select_models",
    "split_outside_brackets",
]


@dataclass(frozen=True)
class Variant:
    """One way of sampling a trained model; `label` is empty for the default way."""

    label: str
    sampling: dict[str, Any]


@dataclass
class ModelRun:
    """One training of a model and the ways it is sampled."""

    entry: Entry[ModelSpec]
    config: Config
    variants: list[Variant] = field(default_factory=list)

    @property
    def config_label(self) -> str:
        """The options that differ from the defaults, as `key=value,…`."""
        return label(self.config)


def label(config: Config) -> str:
    """The changed options of a config, sorted by name.

    >>> class C(Config):
    ...     width: int = 8
    >>> label(C(width=16)), label(C())
    ('width=16', '')
    """
    return ",".join(f"{key}={_text(value)}" for key, value in config.changed().items())


def split_outside_brackets(text: str) -> list[str]:
    """Split at the commas that stand outside [ ].

    >>> split_outside_brackets("ldm,ldm[steps=8,sampler=heun],vae")
    ['ldm', 'ldm[steps=8,sampler=heun]', 'vae']
    """
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text + ","):
        depth += (character == "[") - (character == "]")
        if character == "," and (depth == 0 or index == len(text)):
            parts.append(text[start:index].strip())
            start = index + 1
    return [part for part in parts if part]


def select_models(
    names: Iterable[str], settings: Mapping[str, Any], registry: Registry
) -> list[ModelRun]:
    """Group the asked rows by the training they need.

    settings: `model.option` -> value, applied to every row of that model. Raises UsageError.
    """
    base = _settings(settings, registry)
    runs: dict[tuple[str, str], ModelRun] = {}
    for text in names:
        name, options = read_options(text)
        entry = registry.model(name)
        config_options, sampling_options = _sort_options(text, options, entry.spec)
        name = entry.spec.name
        config = _validated(entry.spec.config, {**base.get(name, {}), **config_options}, name)
        sampling = _validated(entry.spec.sampling, sampling_options, name)
        run = runs.setdefault((name, label(config)), ModelRun(entry, config))
        variant = Variant(label(sampling), sampling.model_dump(mode="json"))
        if variant not in run.variants:
            run.variants.append(variant)
    if not runs:
        raise UsageError(f"no model was given; allowed: {', '.join(sorted(registry.models))}")
    return list(runs.values())


def read_seeds(text: str) -> tuple[int, ...]:
    """`0,1,2` or `0-4` or both: distinct seeds from 0 up.

    >>> read_seeds("0-2,7")
    (0, 1, 2, 7)
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise UsageError(
                f"seed list {text!r} has {part.strip()!r}; write whole numbers from 0 up, as in "
                "0,1,2 or 0-4"
            )
        longest = len(str(MAX_SEED))  # Python refuses to read numbers of thousands of digits
        first, last = int(low[-longest:]), int((high or low)[-longest:])
        long = max(len(low), len(high)) > longest
        if long or last > MAX_SEED or last < first or last - first >= MAX_SEEDS:
            raise UsageError(
                f"seed list {text!r} has {part.strip()!r}; allowed: rising ranges of at most "
                f"{MAX_SEEDS} seeds up to {MAX_SEED}"
            )
        repeated = any(seed in seeds for seed in range(first, last + 1))
        seeds.update(dict.fromkeys(range(first, last + 1)))
        if repeated or len(seeds) > MAX_SEEDS:
            raise UsageError(
                f"seed list {text!r} repeats a seed or is longer than {MAX_SEEDS}; give each seed "
                "once"
            )
    return tuple(seeds)


def read_options(text: str) -> tuple[str, dict[str, Any]]:
    """`name[key=value,key=value]`: the name, and each value as YAML reads it.

    >>> read_options("ldm[steps=8,sampler=heun]")
    ('ldm', {'steps': 8, 'sampler': 'heun'})
    """
    name, bracket, rest = text.partition("[")
    if not bracket:
        return name.strip(), {}
    if not rest.endswith("]") or "[" in rest[:-1] or "]" in rest[:-1]:
        raise UsageError(f"{text!r} has unbalanced brackets; write name[key=value,key=value]")
    options: dict[str, Any] = {}
    for part in rest[:-1].split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"option {part!r} of {text!r} is not key=value")
        options[key.strip()] = _value(value)
    return name.strip(), options


def _sort_options(
    text: str, options: dict[str, Any], spec: ModelSpec
) -> tuple[dict[str, Any], dict[str, Any]]:
    config = {k: v for k, v in options.items() if k in spec.config.model_fields}
    sampling = {k: v for k, v in options.items() if k in spec.sampling.model_fields}
    for key in options:
        if key not in config and key not in sampling:
            allowed = [*spec.config.model_fields, *spec.sampling.model_fields]
            raise unknown(f"option of {text!r}:", key, allowed)
    return config, sampling


def _settings(settings: Mapping[str, Any], registry: Registry) -> dict[str, dict[str, Any]]:
    grouped: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        name, dot, option = key.partition(".")
        if not dot:
            raise UsageError(f"setting {key!r} is not model.option=value, as in ldm.width=256")
        spec = registry.model(name).spec
        if option in spec.sampling.model_fields:
            raise UsageError(
                f"{option!r} is a sampling option of {name!r}; ask for it as a row: "
                f"--models '{name}[{option}={_text(value)}]'"
            )
        grouped.setdefault(name, {})[option] = _value(value) if isinstance(value, str) else value
    return grouped


def _validated(config: type[Config], options: dict[str, Any], name: str) -> Config:
    try:
        return config.model_validate(options)
    except ValidationError as error:
        raise UsageError(describe_invalid(error, config, prefix=f"{name}.")) from None


def _value(text: str) -> Any:
    """A scalar as YAML reads it; anything else stays text."""
    try:
        value = parse_yaml(text)
    except ValueError:
        return text
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as text
        except ValueError:
            return value
    return value if isinstance(value, bool | int | float) or value is None else text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
