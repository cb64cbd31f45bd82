"""Network blocks that several models share; plugins may import them too."""

from benchbench.nn.conv import ConvDecoder, ConvEncoder, ResidualConv
from benchbench.nn.ema import EMA
from benchbench.nn.fourier import FourierFeatures
from benchbench.nn.mlp import ResidualMLP

__all__ = ["EMA", "ConvDecoder", "ConvEncoder", "FourierFeatures", "ResidualConv", "ResidualMLP"]
