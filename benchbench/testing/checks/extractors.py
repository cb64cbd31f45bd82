"""What an extractor owes: the same features for the same example, whatever stands beside it."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchbench.api import KINDS, NotAvailable
from benchbench.testing.extractor_subject import ROWS, ExtractorSubject
from benchbench.testing.kit import Check
from benchbench.testing.outcomes import NotApplicable, ensure
from benchbench.testing.states import untouched
from benchbench.testing.subject import settled

__all__ = ["EXTRACTOR_CHECKS"]

TOLERANCE = 1e-3
"""Of the features' scale: what other sizes of a batch may move them, by float32's rounding."""


def declared(subject: ExtractorSubject) -> None:
    """the spec has a summary in one line, and names the data kinds that are served"""
    spec = subject.spec
    ensure(
        bool(spec.summary.strip()) and "\n" not in spec.summary,
        "summary is not one line of text; the site's page of extractors prints it",
    )
    ensure(bool(spec.kinds), f"kinds is empty; name at least one of {', '.join(KINDS)}")
    for kind in spec.kinds:
        ensure(kind in KINDS, f"kind {kind!r} is none of {', '.join(KINDS)}")


def load(subject: ExtractorSubject) -> None:
    """load(assets) returns an Extractor with a name"""
    name = getattr(subject.extractor, "name", None)
    ensure(
        isinstance(name, str) and bool(name.strip()),
        f"name is {name!r}; scores print it: give it one",
    )


def offline(subject: ExtractorSubject) -> None:
    """loading asks the network for nothing unless downloads are allowed"""
    if subject.assets.download:
        raise NotApplicable("downloads are allowed in this check")
    asked = subject.asked
    ensure(
        not asked,
        f"load tries to reach {', '.join(dict.fromkeys(asked))}; fetch weights with assets.fetch, "
        "which asks only where the user gave --download",
    )


def digest(subject: ExtractorSubject) -> None:
    """the digest is a text, the same at each load"""
    first = getattr(subject.extractor, "digest", None)
    ensure(
        isinstance(first, str) and bool(first.strip()),
        f"digest is {first!r}; it stands for weights and preprocessing in every key",
    )
    second = subject.again.digest
    ensure(
        first == second,
        f"digest is {first!r} and, loaded again, {second!r}; it may depend on weights and "
        "preprocessing alone",
    )


def reads(subject: ExtractorSubject) -> None:
    """it gives features of each kind of data that it says it serves"""
    for kind, tried in subject.tried.items():
        ensure(
            any(isinstance(found, Tensor) for _, found in tried),
            f"it reads none of the {kind} shapes {', '.join(str(shape) for shape, _ in tried)}; "
            f"of the last it said: {tried[-1][1]}",
        )


def refusals(subject: ExtractorSubject) -> None:
    """an example that it can't read is NotAvailable, in a line that says why"""
    refused = [
        (shape, found)
        for tried in subject.tried.values()
        for shape, found in tried
        if not isinstance(found, Tensor)
    ]
    if not refused:
        raise NotApplicable("it reads every shape that was tried")
    for shape, error in refused:
        ensure(
            isinstance(error, NotAvailable) and bool(str(error).strip()),
            f"examples of shape {shape} end in {type(error).__name__}: {error}; raise "
            "NotAvailable with a reason, which becomes a row",
        )


def features(subject: ExtractorSubject) -> None:
    """features are finite float32 numbers (n, f), f of them whatever n is"""
    for x, h in subject.read:
        where = f"of {tuple(x.shape)}"
        ensure(
            h.dim() == 2 and len(h) == ROWS and h.shape[1] > 0,
            f"features {where} have shape {tuple(h.shape)}, not ({ROWS}, f)",
        )
        ensure(h.dtype == torch.float32, f"features {where} are {h.dtype}, not float32")
        ensure(h.device == x.device, f"features {where} are on {h.device}, not on {x.device}")
        ensure(bool(h.isfinite().all()), f"features {where} are not all finite")
        one = subject.features(x[:1])
        ensure(
            one.shape == (1, h.shape[1]),
            f"features of one example have shape {tuple(one.shape)}, not (1, {h.shape[1]})",
        )


def varies(subject: ExtractorSubject) -> None:
    """features tell examples apart"""
    for x, h in subject.read:
        ensure(
            bool((h != h[:1]).any()),
            f"{len(x)} different examples of shape {tuple(x.shape[1:])} have the same features",
        )


def deterministic(subject: ExtractorSubject) -> None:
    """asked twice, or loaded twice, it gives the same bits"""
    for x, h in subject.read:
        for found, when in (
            (subject.features(x), "asked again"),
            (subject.features(x, subject.again), "loaded again"),
        ):
            ensure(
                torch.equal(h, found),
                f"features of the same examples differ by up to {_apart(h, found):.3g} when {when}",
            )


def global_state(subject: ExtractorSubject) -> None:
    """neither loading nor reading moves a global random state"""
    moved = subject.moved
    ensure(not moved, f"load moves the global random state of {' and '.join(moved)}")
    for x, _ in subject.read:
        with settled():
            untouched(
                "features",
                partial(subject.extractor.features, x.clone()),
                "features are fixed: switch dropout off, with eval()",
            )


def alone(subject: ExtractorSubject) -> None:
    """an example's features depend on it alone, not on its batch nor on its place there"""
    for x, h in subject.read:
        scale = TOLERANCE * float(h.detach().abs().max().clamp_min(1e-6))
        singly = torch.cat([subject.features(row) for row in x.split(1)])
        backwards = subject.features(x.flip(0)).flip(0)
        for found, how in ((singly, "one by one"), (backwards, "in another order")):
            ensure(
                found.shape == h.shape and _apart(h, found) <= scale,
                f"features of the same examples {how} differ by up to {_apart(h, found):.3g}; "
                "is a layer in training mode, or a mean taken over the batch?",
            )


def inputs(subject: ExtractorSubject) -> None:
    """the examples it is handed stay as they are"""
    for x, _ in subject.read:
        given = x.clone()
        with settled():
            subject.extractor.features(given)
        ensure(torch.equal(given, x), "features changes the examples in place; copy them first")


def gradients(subject: ExtractorSubject) -> None:
    """features carry no gradient, whose graph would hold every activation in memory"""
    for _, h in subject.read:
        ensure(not h.requires_grad, "features require a gradient; compute them in torch.no_grad()")


def modes(subject: ExtractorSubject) -> None:
    """the classes it reads are whole numbers from 0 up, its confidence a probability"""
    if not subject.reads_modes:
        raise NotApplicable("it reads no classes")
    for x, _ in subject.read:
        with settled():
            read, confidence = subject.extractor.modes(x.clone())
        shape = (len(x),)
        ensure(
            read.dtype == torch.int64 and tuple(read.shape) == shape and int(read.min()) >= 0,
            f"modes are {read.dtype} {tuple(read.shape)}; they must be int64 {shape}, from 0 up",
        )
        ensure(
            tuple(confidence.shape) == shape
            and bool(((confidence >= 0) & (confidence <= 1)).all()),
            f"confidence {tuple(confidence.shape)} is no probability in [0, 1] for each of "
            f"{len(x)} examples",
        )


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max()) if a.shape == b.shape else float("inf")


_LOADED = ("load",)
_READ = ("load", "reads")
_FEATURES = (*_READ, "features")
_SAME = (*_FEATURES, "deterministic")

EXTRACTOR_CHECKS = (
    Check("declared", declared),
    Check("load", load),
    Check("offline", offline, _LOADED),
    Check("digest", digest, _LOADED),
    Check("reads", reads, _LOADED),
    Check("refusals", refusals, _READ),
    Check("features", features, _READ),
    Check("varies", varies, _FEATURES),
    Check("deterministic", deterministic, _FEATURES),
    Check("global_state", global_state, _FEATURES),
    Check("alone", alone, _SAME),
    Check("inputs", inputs, _FEATURES),
    Check("gradients", gradients, _FEATURES),
    Check("modes", modes, _READ),
)
"""The checks of an extractor, in the order in which they run."""
