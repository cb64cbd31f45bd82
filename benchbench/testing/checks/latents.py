"""Latents: encoder, decoder, prior, noise and denoiser, as far as they are declared."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchbench.api import NotAvailable
from benchbench.api.model import Model
from benchbench.testing.checks.grids import integral, rows_alone
from benchbench.testing.outcomes import NotApplicable, ensure
from benchbench.testing.subject import Subject, settled

__all__ = ["decode", "denoise", "encode", "prior_density", "standard_prior"]

ROWS = 8
TOLERANCE = 0.02
"""Of an integral that should be one."""
MANY = 4000
STANDARD_ERRORS = 6


def encode(subject: Subject) -> None:
    """encode(x) gives means and positive standard deviations, (n, latent_dim), row by row"""
    subject.need("encode")
    for case in subject.cases:
        model, x = subject.trained(case), case.held_out(ROWS)
        with settled(), torch.no_grad():
            mean, std = model.encode(x)
        d = model.latent_dim if subject.can("decode") else mean.shape[-1]
        for name, value in (("mean", mean), ("standard deviation", std)):
            _shape(value, (ROWS, d), f"{case.name}: the {name} that encode returned")
        ensure(
            bool((std > 0).all()),
            f"{case.name}: encode returned a standard deviation of {float(std.min()):.3g}; "
            "it must be positive (is it a logarithm?)",
        )
        rows_alone(partial(_means, model), x, f"{case.name}: encode")


def decode(subject: Subject) -> None:
    """decode(z) gives the mean of x, (n, *shape), row by row, with a gradient in z"""
    subject.need("decode")
    for case in subject.cases:
        model, d = subject.trained(case), subject.trained(case).latent_dim
        ensure(isinstance(d, int) and d >= 1, f"{case.name}: latent_dim is {d!r}")
        z = _normal(ROWS, d).requires_grad_()
        with settled():
            x = model.decode(z)
        _shape(x, (ROWS, *case.dataset.info.shape), f"{case.name}: what decode returned")
        ensure(x.requires_grad, f"{case.name}: decode(z) is not differentiable in z")
        (slope,) = torch.autograd.grad(x.sum(), z)
        ensure(
            bool(slope.isfinite().all()),
            f"{case.name}: the gradient of decode in z is not finite",
        )
        rows_alone(model.decode, z.detach(), f"{case.name}: decode")


def standard_prior(subject: Subject) -> None:
    """sample draws what decode makes of z ~ N(0, I), up to noise of mean zero"""
    subject.need("standard_prior", "decode")
    for case in subject.cases:
        model = subject.trained(case)
        with settled(), torch.no_grad():
            decoded = model.decode(_normal(MANY, model.latent_dim))
        drawn = subject.sample(model, MANY)
        if case.dataset.info.kind == "image":  # a sample is clipped, a decoded mean need not be
            decoded = decoded.clamp(-1, 1)
        a, b = case.along_axis(decoded), case.along_axis(drawn)
        error = math.sqrt(float(a.var() + b.var()) / MANY)
        gap = abs(float(a.mean() - b.mean()))
        ensure(
            gap <= STANDARD_ERRORS * error + 1e-6,
            f"{case.name}: the mean of decode(z), z ~ N(0, I), lies {gap:.3g} from the mean of "
            f"the samples, {gap / max(error, 1e-12):.0f} standard errors: the prior of sample is "
            "another one",
        )


def prior_density(subject: Subject) -> None:
    """prior_log_prob is finite, row by row, and integrates to one; N(0, I) where declared"""
    subject.need("prior_log_prob", "decode")
    reasons = []
    for case in subject.cases:
        model = subject.trained(case)
        z = _normal(ROWS, model.latent_dim)
        try:
            value = _prior(model, z)
        except NotAvailable as reason:
            reasons.append(str(reason))
            continue
        _shape(value, (ROWS,), f"{case.name}: what prior_log_prob returned")
        rows_alone(partial(_prior, model), z, f"{case.name}: prior_log_prob")
        if subject.can("standard_prior"):
            normal = -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)
            gap = float((value.double() - normal.double()).abs().max())
            ensure(
                gap < 1e-3,
                f"{case.name}: prior_log_prob differs from log N(z; 0, I) by {gap:.3g} nats, "
                "though standard_prior is declared",
            )
    if len(reasons) == len(subject.cases):
        raise NotApplicable(reasons[0])
    if "points" in subject.spec.kinds:
        model = subject.trained(subject.case("line"))
        if model.latent_dim > 1:
            return
        total = integral(partial(_prior, model))
        ensure(
            abs(total - 1) <= TOLERANCE,
            f"line: prior_log_prob integrates to {total:.4g}, not to 1",
        )


def denoise(subject: Subject) -> None:
    """add_noise adds sqrt(t)·ε, ε ~ N(0, I), and denoise gives z itself back where t is 0"""
    subject.need("denoise")
    for case in subject.cases:
        model = subject.trained(case)
        z = _latents(subject, model, case.held_out(256))
        generator = torch.Generator().manual_seed(3)
        for t in (0.25, 4.0):
            time = torch.full((len(z),), t)
            with settled(), torch.no_grad():
                noised = model.add_noise(z, time, generator=generator)
            _shape(noised, tuple(z.shape), f"{case.name}: what add_noise returned")
            spread = float((noised - z).square().mean().sqrt())
            error = 1 / math.sqrt(2 * z.numel())
            ensure(
                abs(spread / math.sqrt(t) - 1) <= STANDARD_ERRORS * error,
                f"{case.name}: add_noise at t = {t} adds noise of standard deviation "
                f"{spread:.3g}; the contract says sqrt(t) = {math.sqrt(t):.3g}",
            )
            with settled(), torch.no_grad():
                guess = model.denoise(noised, time)
            _shape(guess, tuple(z.shape), f"{case.name}: what denoise returned")
        with settled(), torch.no_grad():
            kept = model.denoise(z, torch.zeros(len(z)))
        gap = float((kept - z).abs().max())
        ensure(
            gap <= 1e-2 * float(z.std()),
            f"{case.name}: denoise at t = 0 moves its argument by up to {gap:.3g}",
        )


def _latents(subject: Subject, model: Model, x: Tensor) -> Tensor:
    """Where the diffusion runs: (n, d)."""
    if not subject.can("encode"):
        return x.flatten(1)
    return _means(model, x)


def _means(model: Model, x: Tensor) -> Tensor:
    with settled(), torch.no_grad():
        return model.encode(x)[0]


def _prior(model: Model, z: Tensor) -> Tensor:
    with settled(), torch.no_grad():
        return model.prior_log_prob(z)


def _normal(n: int, d: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(7))


def _shape(value: Any, wanted: tuple[int, ...], what: str) -> None:
    ensure(isinstance(value, Tensor), f"{what} is a {type(value).__name__}, not a torch.Tensor")
    ensure(tuple(value.shape) == wanted, f"{what} has shape {tuple(value.shape)}, not {wanted}")
    ensure(bool(value.isfinite().all()), f"{what} is not finite")
