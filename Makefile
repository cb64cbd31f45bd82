# Each command does its own set-up: `make bench`, `make test`, `make docs` (into build/site),
# `make examples` (into build/examples: the wheels in an environment of their own).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: bench test lint docs examples setup clean

bench: $(VENV)/.installed
	$(BIN)/bench run --models ldm,vae,gan

test: $(VENV)/.installed lint
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

examples:
	$(PYTHON) tests/packaging/run_apart.py build/examples

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "benchbench needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
