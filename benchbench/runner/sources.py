"""Hashes of source code: what a result depends on, so that a change is noticed.

The hash of a module covers the modules it imports, followed through its own top-level package and
through benchbench, without benchbench.api, whose version stands in the key itself.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from functools import cache
from pathlib import Path

__all__ = ["source_hash"]

_OWN = "benchbench"
_SKIPPED = f"{_OWN}.api"


def source_hash(implementation: object) -> str:
    """Sixteen hexadecimal characters for an import path, a class or a function."""
    if isinstance(implementation, str):
        return _module_hash(implementation.partition(":")[0])
    try:
        path = inspect.getsourcefile(implementation)  # type: ignore[arg-type]
    except TypeError:
        path = None
    for value in vars(implementation).values() if path is None else ():
        code = getattr(value, "__code__", None)
        path = path or (code.co_filename if code else None)
    return hashlib.sha256(Path(path).read_bytes() if path else b"").hexdigest()[:16]


@cache
def _module_hash(module: str) -> str:
    top = module.partition(".")[0]
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in seen else _path(name)
        if path is None:
            continue
        content = path.read_bytes()
        seen[name] = content
        waiting += [
            found
            for found in _imports(name, path, content)
            if found.partition(".")[0] in (top, _OWN) and not found.startswith(_SKIPPED)
        ]
    state = hashlib.sha256()
    for name in sorted(seen):
        state.update(f"{name}\0".encode() + seen[name] + b"\0")
    return state.hexdigest()[:16]


def _path(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _imports(module: str, path: Path, content: bytes) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found
