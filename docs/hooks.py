"""mkdocs calls this for every page: generated parts take the place of their markers."""

from __future__ import annotations

from typing import Any

from generate import expand

__all__ = ["on_page_markdown"]


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page's Markdown, complete."""
    return expand(markdown, page.file.src_uri)
