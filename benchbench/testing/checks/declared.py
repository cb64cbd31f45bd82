"""What a spec declares: options that are data, and capabilities that are there."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from benchbench.api import CAPABILITIES, Config, UsageError
from benchbench.api.config import describe_invalid
from benchbench.testing.outcomes import NotApplicable, ensure
from benchbench.testing.subject import Subject

__all__ = ["capabilities", "check_options", "config_options", "sampling_options"]


def config_options(subject: Subject) -> None:
    """every training option has a valid default that survives JSON, and a description"""
    check_options(subject.spec.config, "config")


def sampling_options(subject: Subject) -> None:
    """the same for sampling options, and each default, when it is given, changes nothing"""
    options = subject.spec.sampling
    check_options(options, "sampling")
    if not options.model_fields:
        raise NotApplicable("the model has no sampling options")
    for case in subject.cases:
        model = subject.trained(case)
        plain = subject.sample(model, 8)
        for name, value in options(**subject.sampling).model_dump().items():
            given = subject.sample(model, 8, **{name: value})
            ensure(
                bool((given == plain).all()),
                f"{case.name}: sample(..., {name}={value!r}) differs from sample(...), though "
                f"{value!r} is the declared default of {name!r}",
            )


def capabilities(subject: Subject) -> None:
    """each declared capability has its methods, and each method its declaration"""
    declared = subject.spec.capabilities
    for capability in CAPABILITIES:
        if capability in declared:
            lacking = subject.missing(capability)
            ensure(
                not lacking,
                f"capability {capability!r} is declared, but the class does not define "
                f"{' and '.join(lacking)}",
            )
        else:
            found = subject.overrides(capability)  # type: ignore[arg-type]
            ensure(
                not found,
                f"the class defines {' and '.join(found)}, but the spec does not declare "
                f"{capability!r}: the bench will not use it; declare it or take it out",
            )
    for capability in ("encode", "standard_prior", "prior_log_prob"):
        ensure(
            capability not in declared or "decode" in declared or capability == "encode",
            f"{capability!r} speaks of the latents of `decode`, which is not declared",
        )


def check_options(options: type[Config], what: str) -> None:
    """Raise unless all options have valid defaults that survive JSON, and descriptions."""
    try:
        defaults: dict[str, Any] = options().model_dump(mode="json")
        text = json.dumps(defaults, allow_nan=False)
        again = options.model_validate(json.loads(text))
    except ValidationError as error:
        raise UsageError(f"{what} without options: {describe_invalid(error, options)}") from None
    except ValueError as error:
        raise UsageError(f"the defaults of {what} are not JSON: {error}") from None
    ensure(
        again == options(),
        f"the defaults of {what} do not survive JSON: {options()!r} becomes {again!r}",
    )
    for name, field in options.model_fields.items():
        ensure(
            bool(field.description),
            f"option {name!r} of {what} has no description; `bench list` and the docs print it",
        )
