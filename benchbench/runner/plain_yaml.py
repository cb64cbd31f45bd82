"""YAML that a stranger may have written: scalars, lists and mappings, and nothing that grows.

safe_load builds no objects from tags. Aliases are refused here as well, since a few lines of them
stand for more than any memory holds ("billion laughs"), and so are whole numbers beyond 64 bits.
"""

from __future__ import annotations

from typing import Any

import yaml

from benchbench.api.errors import one_line

__all__ = ["parse_yaml"]


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases and without numbers that Python takes minutes to print."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases are not allowed: *{self.peek_event().anchor}")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: Any) -> int:
        number = super().construct_yaml_int(node)
        if abs(number) >= 1 << 63:
            raise yaml.YAMLError("a whole number is beyond 64 bits")
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def parse_yaml(text: str) -> Any:
    """The value that the text stands for; raises ValueError in one line.

    >>> parse_yaml("seeds: [0, 1]")
    {'seeds': [0, 1]}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # PyYAML's constructors raise anything on scalars they don't expect
        raise ValueError(one_line(str(error) or type(error).__name__)) from None
