"""Text that others chose (model names, reasons, units) made harmless for each format."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean", "latex", "markdown"]

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After \\ a bracket would be read as an argument and a star as a variant of the command.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "’": "'",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "∞": r"$\infty$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "²": "$^2$",
    "³": "$^3$",
    "°": r"$^\circ$",
}
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_LATEX.update({unicodedata.lookup(f"GREEK SMALL LETTER {n}"): f"$\\{n}$" for n in _GREEK})
_LATEX.update({"λ": r"$\lambda$", "µ": r"$\mu$"})

_ACCENTS = frozenset(
    unicodedata.lookup(f"COMBINING {name}")
    for name in (
        "GRAVE ACCENT",
        "ACUTE ACCENT",
        "CIRCUMFLEX ACCENT",
        "TILDE",
        "DIAERESIS",
        "CARON",
        "CEDILLA",
        "RING ABOVE",
    )
)
_LETTERS = frozenset("ßæÆøØœŒ")


def clean(text: str) -> str:
    """One line without control characters, escape sequences or direction overrides."""
    shown = (" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
    return " ".join("".join(shown).split())


def markdown(text: str) -> str:
    """Text for a table cell or a list item of GitHub's Markdown; no HTML, links or emphasis.

    Underscores within a word and brackets that open no link stay as they are, for readers of
    the source.
    """
    text = clean(text)
    text = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    text = text.replace(">", "&gt;")
    text = re.sub(r"([|*`~$])", r"\\\1", text)
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    text = re.sub(r"\](?=[(\[])", r"\\]", text)
    # What would open a heading, a list or a link definition at the start of a list item.
    return re.sub(r"^(?=[#+\-\[])|^(\d+)(?=[.)](?:\s|$))", r"\1\\", text)


def latex(text: str) -> str:
    """Text for pdflatex: specials escaped, mathematical signs as commands.

    A letter that a bare pdflatex can't set becomes its code point in brackets.
    """
    line = clean(text)
    return "".join(_latex_character(c, before) for before, c in zip(" " + line, line, strict=False))


def _latex_character(c: str, before: str) -> str:
    if c == before == "-":
        return "{}-"  # keeps -- from becoming a dash
    if c in _LATEX:
        return _LATEX[c]
    if c.isascii() or c in _LETTERS:
        return c
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return c
    return f"{{[}}U+{ord(c):04X}{{]}}"
