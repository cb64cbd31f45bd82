"""benchbench: a plugin-based benchmark of generative models under an equal budget."""

__version__ = "0.2.0"
