"""Noising and denoising against what is known of them in closed form.

    X = Z + σ ε,  t = σ²,  Ẑ = f(X, t)
    noise_variance = E (X − Z)²      t, if the process is what its equation says
    denoise_error  = E (Z − Ẑ)²      per dimension; E (Z − E[Z | X])² is the least there can be

Z ~ N(m(x), s(x)²) of test examples x where the model has an encoder, else Z = x itself. Where the
data are an equal mixture of Gaussians N(c_i, C_i), Z is one too, to first order of the encoder at
each c_i (J_i its Jacobian there; exact without one, and modes are narrow):

    μ_i = m(c_i),  S_i = J_i C_i J_iᵀ + diag s(c_i)²
    E[Z | X] = Σ_i w_i (μ_i + S_i (S_i + σ² I)⁻¹ (X − μ_i)),   w_i ∝ N(X; μ_i, S_i + σ² I)

Both errors are taken on the same X, so their ratio varies little.

Robbins, "An Empirical Bayes Approach to Statistics", 1956 (E[Z | X] as the best denoiser).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchbench.api import Evaluation, NotAvailable, Score
from benchbench.api.data import GaussianModes
from benchbench.metrics.specs_diffusion import DenoisingConfig

__all__ = ["GaussianMixture", "compute", "latent_mixture"]


@dataclass(frozen=True)
class GaussianMixture:
    """An equal mixture. means: (m, d), covariances: (m, d, d), float64."""

    means: Tensor
    covariances: Tensor

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """E[Z | X] for X = Z + sigma ε. x: (n, d) -> (n, d) float64."""
        x = x.double()
        eye = torch.eye(x.shape[1], dtype=torch.float64)
        noisy = self.covariances + sigma**2 * eye
        root = torch.linalg.cholesky(noisy)
        away = x[:, None, :] - self.means  # (n, m, d)
        white = torch.linalg.solve_triangular(root, away.unsqueeze(-1), upper=False).squeeze(-1)
        log_det = 2 * root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        weights = torch.softmax(-0.5 * (white.square().sum(dim=2) + log_det), dim=1)
        gain = torch.linalg.solve(noisy, self.covariances).transpose(1, 2)  # S (S + σ² I)⁻¹
        centred = self.means + torch.einsum("mij,nmj->nmi", gain, away)
        return (weights[:, :, None] * centred).sum(dim=1)


def latent_mixture(evaluation: Evaluation) -> GaussianMixture:
    """The distribution of Z; raises NotAvailable where the data are no known Gaussians."""
    dataset = evaluation.dataset
    modes = dataset.modes
    if not isinstance(modes, GaussianModes) or dataset.std is None:
        raise NotAvailable("the best denoiser is known for mixtures of Gaussians alone")
    centres = dataset.to_model(modes.centres).float().to(evaluation.device)
    spread = torch.diag((modes.sigma / dataset.std.double()).square())
    if "encode" not in evaluation.capabilities:
        return GaussianMixture(centres.double().cpu(), spread.expand(len(centres), -1, -1))
    with torch.enable_grad():
        slopes = torch.stack([_jacobian(evaluation, c) for c in centres]).double().cpu()
    means, stds = (part.double().cpu() for part in evaluation.model.encode(centres))
    posterior = torch.diag_embed(stds.square())
    return GaussianMixture(means, slopes @ spread @ slopes.transpose(1, 2) + posterior)


def _jacobian(evaluation: Evaluation, centre: Tensor) -> Tensor:
    """∂m/∂x at one example (d,) -> (latent, d)."""

    def mean(x: Tensor) -> Tensor:
        return evaluation.model.encode(x[None])[0][0]

    found = torch.autograd.functional.jacobian(mean, centre)
    assert isinstance(found, Tensor)
    return found


@torch.no_grad()
def compute(evaluation: Evaluation, config: DenoisingConfig) -> list[Score]:
    """The four scores at every noise level."""
    if "denoise" not in evaluation.capabilities:
        raise NotAvailable("the model declares no denoising network (capability denoise)")
    z = _latents(evaluation, min(config.n, len(evaluation.dataset.test)))
    try:
        mixture, reason = latent_mixture(evaluation), ""
    except NotAvailable as error:
        mixture, reason = None, str(error)
    scores = []
    for sigma in config.sigmas:
        scores += _at_level(evaluation, z, sigma, mixture, reason)
    return scores


def _latents(evaluation: Evaluation, n: int) -> Tensor:
    """Z of the first n test examples: (n, d)."""
    x = evaluation.reference(n)
    if "encode" not in evaluation.capabilities:
        return x.flatten(1)
    mean, std = evaluation.model.encode(x)
    generator = evaluation.generator("denoising/posterior", device=str(evaluation.device))
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + std * noise


def _at_level(
    evaluation: Evaluation,
    z: Tensor,
    sigma: float,
    mixture: GaussianMixture | None,
    reason: str,
) -> list[Score]:
    generator = evaluation.generator(f"denoising/{sigma}", device=str(evaluation.device))
    t = torch.full((len(z),), sigma**2, device=z.device)
    x = evaluation.model.add_noise(z, t, generator=generator)
    n, at = len(z), f"sigma={sigma:g}"
    variance = float((x - z).double().square().mean())
    error = _mean_square(z, evaluation.model.denoise(x, t))
    scores = [
        Score("noise_variance", variance, n=n, condition=f"t={sigma**2:g}"),
        Score("denoise_error", error, n=n, condition=at),
    ]
    if mixture is None:
        return scores + [
            Score(name, None, condition=at, status="skipped", reason=reason)
            for name in ("denoise_best", "denoise_ratio")
        ]
    best = _mean_square(z.cpu(), mixture.denoise(x.cpu(), sigma))
    detail = {"best": "closed form"}
    return [
        *scores,
        Score("denoise_best", best, "exact", n=n, condition=at, detail=detail),
        Score("denoise_ratio", error / best, n=n, condition=at, detail=detail),
    ]


def _mean_square(z: Tensor, estimate: Tensor) -> float:
    return float((z.double() - estimate.double()).square().mean())
