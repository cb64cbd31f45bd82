"""`bench new`: a plugin that stands in the table as it is."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchbench.api import API_VERSION, UsageError
from benchbench.api.errors import PluginError
from benchbench.api.names import check_name

__all__ = ["TYPES", "WORDS", "new", "plugin_files", "with_article"]


@dataclass(frozen=True)
class _Form:
    """What one type of plugin is written from.

    what: the type in words; topic: of `bench list`. readme: what it is as it comes.
    command: shows it in a table. parts: modules of the package beside `__init__.py`, the one with
    the implementation last. attribute: of the implementation in that module.
    """

    what: str
    topic: str
    readme: str
    command: str
    parts: tuple[str, ...]
    attribute: str


_FORMS = {
    "model": _Form(
        "generative model",
        "models",
        "A generative model for benchbench: flow matching, until you replace it.",
        "bench run --models {name},vae --datasets grid25",
        ("config", "model"),
        "{cls}",
    ),
    "metric": _Form(
        "metric",
        "metrics",
        "A metric for benchbench: the sliced Wasserstein distance, until you replace it.",
        "bench run --models vae --datasets grid25 --metrics {name}",
        ("config", "metric"),
        "compute",
    ),
    "dataset": _Form(
        "data set",
        "datasets",
        "A data set for benchbench: points at the corners of a pentagon, until you replace them.",
        "bench run --models vae --datasets {name}",
        ("data",),
        "load",
    ),
    "extractor": _Form(
        "feature extractor",
        "plugins",
        "A feature extractor for benchbench: brightness and contrast by place, until you "
        "replace it.",
        "bench run --models vae --datasets digits --extractor {name} --metrics fid",
        ("extractor",),
        "load",
    ),
}
TYPES = tuple(_FORMS)
WORDS = {"model": "model", "metric": "metric", "dataset": "data set", "extractor": "extractor"}
"""A type in a sentence."""


def with_article(type_: str) -> str:
    """A type in a sentence, as in: a data set.

    >>> with_article("dataset"), with_article("extractor")
    ('a data set', 'an extractor')
    """
    word = WORDS[type_]
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


@click.command()
@click.argument("name")
@click.option(
    "--type",
    "type_",
    type=click.Choice(TYPES),
    default="model",
    show_default=True,
    help="What NAME is.",
)
@click.option("--single-file", is_flag=True, help="One file instead of a package.")
@click.option("--dir", "folder", default=".", help="Where to write it (default: here).")
def new(name: str, type_: str, single_file: bool, folder: str) -> None:
    """Write a plugin with the model, metric, data set or extractor NAME: a package, or one file.

    It works as it is, ready to be replaced by your own: a model trains by flow matching, a metric
    is a sliced Wasserstein distance, a data set has points in five known modes, an extractor
    reads brightness and contrast. A package has a test with it.
    """
    _check(name, type_)
    if not Path(folder).is_dir():
        raise UsageError(f"--dir {folder!r} is not a folder; give one that exists")
    files = plugin_files(name, single_file, type_)
    top = Path(folder) / next(iter(files)).parts[0]
    if top.exists():
        raise UsageError(f"{str(top)!r} exists already; choose another name or another --dir")
    for relative, text in files.items():
        path = Path(folder) / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")
    plugin = f" --plugin {top}" if single_file else ""
    click.echo("next:")
    if not single_file:
        click.echo(f"  pip install -e {top}")
    click.echo(f"  bench check {name}{plugin}")
    click.echo(f"  {_FORMS[type_].command.format(name=name)}{plugin}")


def plugin_files(name: str, single_file: bool = False, type_: str = "model") -> dict[Path, str]:
    """Every file of the plugin by its relative path, all under one folder, or one file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=False,
        autoescape=False,
    )
    package, form = _module(name), _FORMS[type_]
    values = _values(name, single_file, type_)

    def render(template: str) -> str:
        return environment.get_template(f"{template}.jinja").render(values) + "\n"

    if single_file:
        return {Path(f"{package}.py"): render(f"{type_}/single.py")}
    top, source = Path(name), Path(name) / "src" / package
    return {
        top / "pyproject.toml": render("pyproject.toml"),
        top / "README.md": render("README.md"),
        source / "__init__.py": render(f"{type_}/plugin.py"),
        **{source / f"{part}.py": render(f"{type_}/{part}.py") for part in form.parts},
        top / "tests" / f"test_{package}.py": render("test.py"),
    }


def _values(name: str, single_file: bool, type_: str) -> dict[str, Any]:
    """What the templates ask for."""
    package, form = _module(name), _FORMS[type_]
    cls = "".join(part.capitalize() for part in package.split("_"))
    attribute = form.attribute.format(cls=cls)
    modules = " and ".join(f"`{part}.py`" for part in form.parts)
    return {
        "name": name,
        "type": type_,
        "what": form.what,
        "topic": form.topic,
        "readme": form.readme,
        "files": f"`src/{package}/__init__.py` says what there is, {modules} the rest.",
        "command": form.command.format(name=name),
        "package": package,
        "score": package,
        "cls": cls,
        "file": f"{package}.py",
        "distribution": package.replace("_", "-"),
        "api_version": API_VERSION,
        "implementation": attribute if single_file else f'"{package}.{form.parts[-1]}:{attribute}"',
    }


def _module(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").replace("+", "_")


def _check(name: str, type_: str) -> None:
    """Refuse a name that could not be typed, imported or told apart; loads no torch."""
    try:
        check_name(name, "NAME")
    except PluginError as error:
        raise UsageError(str(error)) from None
    module = _module(name)
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"NAME is {name!r}; it must begin with a letter and be no Python keyword")
    _refuse_taken(name, module, type_)


def _refuse_taken(name: str, module: str, type_: str) -> None:
    import importlib.util

    from benchbench.registry import RESERVED, Registry

    registry = Registry.load()
    tables: dict[str, Any] = {
        "model": registry.models,
        "metric": registry.metrics,
        "dataset": registry.datasets,
        "extractor": registry.extractors,
    }
    taken = tables[type_].get(name)
    if taken is not None:
        what = with_article(type_)
        raise UsageError(f"{what} {name!r} is there already, from {taken.owner}; choose another")
    if type_ == "model" and name in RESERVED:
        raise UsageError(
            f"{name!r} is a name that the bench keeps for its own rows; choose another"
        )
    if type_ == "metric" and module in registry.score_specs():
        owner = registry.metric(module).spec.name
        raise UsageError(f"a score {module!r} is there already, of {owner!r}; choose another name")
    if importlib.util.find_spec(module) is not None:
        raise UsageError(
            f"NAME is {name!r}, but a Python package {module!r} is installed; choose another"
        )
