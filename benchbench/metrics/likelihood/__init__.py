"""Log-likelihood across model families under one observation model."""
