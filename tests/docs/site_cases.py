"""Pages of the built site, as tests look at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["ROOT", "Page"]

ROOT = Path(__file__).parents[2]


@dataclass
class Page(HTMLParser):
    """What an HTML file holds.

    ids: of its elements. links: where its `a` lead. assets: what a browser loads for it.
    text: what it shows, without markup. rows: the text of each table row.
    """

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if (
            tag == "link"
            and "href" in given
            and given.get("rel") not in ("canonical", "next", "prev")
        ):
            self.assets.append(given["href"])
        self.assets += [given["src"]] if "src" in given else []
        self.pieces.append(" | " if tag == "td" else "\n" if tag == "tr" else "")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def section(self, anchor: str) -> str:
        """The HTML from the heading with this id to the next heading with an id."""
        html = self.path.read_text(encoding="utf-8")
        _, found, rest = html.partition(f'id="{anchor}"')
        assert found, f"{self.path.name} has no #{anchor}"
        return rest.split('<h2 id="')[0].split('<h3 id="')[0]
