"""Scores and options of sampling speed and model size, readable without torch."""

from __future__ import annotations

from pydantic import Field, field_validator

from benchbench.api import KINDS, Config, MetricSpec, ScoreSpec

__all__ = ["COST_SPECS", "SpeedConfig"]


class SpeedConfig(Config):
    """At which batch sizes, and for how long, sampling is timed."""

    batch_sizes: tuple[int, ...] = Field(
        (1, 64, 1024), min_length=1, description="Samples drawn in one call; ascending."
    )
    repeats: int = Field(100, ge=3, description="Most timed calls at each batch size.")
    seconds: float = Field(
        1.0,
        gt=0,
        description="No timed call starts later than this after the first, three calls apart.",
    )

    @field_validator("batch_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
            raise ValueError(f"batch sizes must be positive, ascending and distinct; got {sizes}")
        return sizes


COST_SPECS: list[MetricSpec] = [
    MetricSpec(
        name="speed",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation="benchbench.metrics.speed:compute",
        scores=(
            ScoreSpec(
                "samples_per_second",
                "samples/s",
                "max",
                label="samples/s",
                summary="batch size over the median time of a call that draws one batch",
            ),
            ScoreSpec(
                "latency_p50_ms",
                "ms",
                "min",
                label="latency p50",
                summary="median time of a call that draws one batch",
            ),
            ScoreSpec(
                "latency_p95_ms",
                "ms",
                "min",
                label="latency p95",
                table=False,
                summary="95th percentile of the time of a call that draws one batch",
            ),
            ScoreSpec(
                "nfe",
                "1",
                "min",
                label="NFE",
                digits=0,
                summary="network evaluations behind one sample",
            ),
            ScoreSpec(
                "flops_per_sample",
                "FLOP",
                "min",
                label="FLOPs a sample",
                summary="matrix products, convolutions and attention, counted in one call",
            ),
            ScoreSpec(
                "peak_memory_bytes",
                "bytes",
                "min",
                label="peak memory",
                table=False,
                summary="most memory in use at once during a call, over what was in use before",
            ),
        ),
        scope="variant",
        needs="model",
        config=SpeedConfig,
        summary="Latency, throughput, FLOPs and memory of sampling.",
    ),
    MetricSpec(
        name="cost",
        kinds=frozenset(KINDS),  # type: ignore[arg-type]
        implementation="benchbench.metrics.cost:compute",
        scores=(
            ScoreSpec(
                "parameters",
                "1",
                "min",
                digits=0,
                summary="numbers in the module's parameters, averaged copies counted once",
            ),
        ),
        scope="model",
        needs="model",
        summary="Size of the trained model.",
    ),
]
