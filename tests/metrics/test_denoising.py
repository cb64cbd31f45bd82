"""Denoising errors against closed forms: one Gaussian, a mixture, an affine encoder."""

from __future__ import annotations

import math

import pytest
import torch
from process_cases import Affine, Plain, evaluation

from benchbench.api import Assets, NotAvailable, Score
from benchbench.api.data import Dataset
from benchbench.metrics.denoising import GaussianMixture, compute, latent_mixture
from benchbench.metrics.specs_diffusion import DenoisingConfig
from benchbench.registry import Registry

SIGMAS = (0.1, 1.0)


@pytest.fixture(scope="module")
def grid25() -> Dataset:
    return Registry.load().load_dataset("grid25", Assets())


def by_name(scores: list[Score]) -> dict[tuple[str, str], float | None]:
    return {(s.metric, s.condition): s.value for s in scores}


def test_one_gaussian_shrinks() -> None:
    """For Z ~ N(μ, s²), E[Z | X] = μ + s²/(s² + σ²)(X − μ)."""
    mixture = GaussianMixture(
        torch.tensor([[1.0, 2.0]]).double(), 0.25 * torch.eye(2)[None].double()
    )
    x = torch.tensor([[3.0, 0.0]])
    expected = torch.tensor([[1.0 + 0.2 * 2.0, 2.0 - 0.2 * 2.0]]).double()
    torch.testing.assert_close(mixture.denoise(x, 1.0), expected)


def test_the_mixture_agrees_with_importance_weights() -> None:
    """E[Z | X] by brute force over draws of Z."""
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 1.0]]).double()
    factor = torch.tensor([[0.3, 0.0], [0.2, 0.1]]).double()
    mixture = GaussianMixture(means, (factor @ factor.T).expand(3, 2, 2))
    pick = torch.randint(3, (400_000,), generator=generator)
    noise = torch.randn(400_000, 2, generator=generator, dtype=torch.float64)
    z = means[pick] + noise @ factor.T
    for x in torch.tensor([[0.1, 0.4], [-0.6, 0.2], [2.0, 2.0]]).double():
        weights = torch.softmax(-(x - z).square().sum(1) / (2 * 0.7**2), dim=0)
        brute = (weights[:, None] * z).sum(0)
        found = mixture.denoise(x[None], 0.7)[0]
        torch.testing.assert_close(found, brute, atol=5e-3, rtol=0)


def test_an_affine_encoder_moves_the_mixture_exactly(grid25: Dataset) -> None:
    mixture = latent_mixture(evaluation(Affine, grid25, "denoise", "encode"))
    assert grid25.std is not None
    x = grid25.to_model(grid25.test.raw).double()
    label = grid25.test.labels == 7
    z = x[label] @ Affine.weight.double().T + Affine.shift.double()
    torch.testing.assert_close(mixture.means[7], z.mean(0), atol=5e-3, rtol=0)
    spread = z.T.cov() + 0.01 * torch.eye(2)
    torch.testing.assert_close(mixture.covariances[7], spread, atol=3e-4, rtol=0)


def test_no_network_beats_the_closed_form(grid25: Dataset) -> None:
    for row in (
        evaluation(Plain, grid25, "denoise"),
        evaluation(Affine, grid25, "denoise", "encode"),
    ):
        found = by_name(compute(row, DenoisingConfig(sigmas=SIGMAS)))
        for sigma in SIGMAS:
            ratio = found["denoise_ratio", f"sigma={sigma:g}"]
            assert ratio is not None
            assert ratio > 1.02  # `Plain` is the best for another distribution
            variance = found["noise_variance", f"t={sigma**2:g}"]
            assert variance == pytest.approx(sigma**2, rel=0.05)


def test_the_best_network_scores_one(grid25: Dataset) -> None:
    class Best(Plain):
        def denoise(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return mixture.denoise(x, math.sqrt(float(t[0]))).float()

    row = evaluation(Best, grid25, "denoise")
    mixture = latent_mixture(row)
    found = by_name(compute(row, DenoisingConfig(sigmas=SIGMAS)))
    for sigma in SIGMAS:
        assert found["denoise_ratio", f"sigma={sigma:g}"] == pytest.approx(1.0, abs=1e-4)


def test_what_does_not_apply_says_so(grid25: Dataset) -> None:
    with pytest.raises(NotAvailable, match="capability denoise"):
        compute(evaluation(Plain, grid25), DenoisingConfig())
    pulse = Registry.load().load_dataset("pulse", Assets())
    scores = compute(evaluation(Plain, pulse, "denoise"), DenoisingConfig(sigmas=(1.0,)))
    status = {s.metric: (s.status, s.reason) for s in scores}
    assert status["denoise_error"][0] == "done"
    assert status["denoise_ratio"] == (
        "skipped",
        "the best denoiser is known for mixtures of Gaussians alone",
    )
