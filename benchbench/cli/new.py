"""`bench new`: a plugin that trains and stands in the table as it is."""

from __future__ import annotations

import keyword
from pathlib import Path

import click

from benchbench.api import API_VERSION, UsageError
from benchbench.api.errors import PluginError
from benchbench.api.names import check_name

__all__ = ["new", "plugin_files"]


@click.command()
@click.argument("name")
@click.option("--single-file", is_flag=True, help="One file instead of a package.")
@click.option("--dir", "folder", default=".", help="Where to write it (default: here).")
def new(name: str, single_file: bool, folder: str) -> None:
    """Write a plugin with the model NAME: a package with its test, or one file.

    It trains as it is: flow matching, ready to be replaced by your own.
    """
    _check(name)
    if not Path(folder).is_dir():
        raise UsageError(f"--dir {folder!r} is not a folder; give one that exists")
    files = plugin_files(name, single_file)
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
    click.echo(f"  bench run --models {name},vae --datasets grid25{plugin}")


def plugin_files(name: str, single_file: bool = False) -> dict[Path, str]:
    """Every file of the plugin by its relative path, all under one folder, or one file."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=False,
        autoescape=False,
    )
    package = _module(name)
    cls = "".join(part.capitalize() for part in package.split("_"))
    file = f"{package}.py"
    values = {
        "name": name,
        "package": package,
        "cls": cls,
        "file": file,
        "distribution": package.replace("_", "-"),
        "api_version": API_VERSION,
        "implementation": cls if single_file else f'"{package}.model:{cls}"',
    }

    def render(template: str) -> str:
        return environment.get_template(f"{template}.jinja").render(values) + "\n"

    if single_file:
        return {Path(file): render("single.py")}
    top, source = Path(name), Path(name) / "src" / package
    return {
        top / "pyproject.toml": render("pyproject.toml"),
        top / "README.md": render("README.md"),
        source / "__init__.py": render("plugin.py"),
        source / "config.py": render("config.py"),
        source / "model.py": render("model.py"),
        top / "tests" / f"test_{package}.py": render("test.py"),
    }


def _module(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").replace("+", "_")


def _check(name: str) -> None:
    """Refuse a name that could not be typed, imported or told apart; loads no torch."""
    try:
        check_name(name, "NAME")
    except PluginError as error:
        raise UsageError(str(error)) from None
    module = _module(name)
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"NAME is {name!r}; it must begin with a letter and be no Python keyword")
    _refuse_taken(name, module)


def _refuse_taken(name: str, module: str) -> None:
    import importlib.util

    from benchbench.registry import Registry

    taken = Registry.load().models.get(name)
    if taken is not None:
        raise UsageError(f"a model {name!r} is there already, from {taken.owner}; choose another")
    if importlib.util.find_spec(module) is not None:
        raise UsageError(
            f"NAME is {name!r}, but a Python package {module!r} is installed; choose another"
        )
