# Everything a contributor runs. `make` alone lists the targets.
#
# PyPI's torch for Linux brings CUDA. Without a GPU, take PyTorch's own CPU wheels:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_EXTRA := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX),)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-slow golden docs format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "autopeft needs Python 3.11 or newer, this is " + sys.version.split()[0] + "\nhint: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(PIP_EXTRA) --constraint constraints.txt torch
	$(BIN)/pip install --quiet $(PIP_EXTRA) --constraint constraints.txt --editable '.[demo,dev,docs]'
	touch $@

setup: $(STAMP) ## create .venv and install everything, at the tested versions

demo: $(STAMP) ## a real search on a real model and real text, about four minutes
	$(BIN)/autopeft search --demo

check: $(STAMP) ## ruff, format, types, import contracts, docs freshness
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/mkdocs build --strict --quiet

# One process a core, each with one thread of torch: more of both would only get in each other's way.
test: $(STAMP) ## the test-suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slow: $(STAMP) ## the slow part of the test-suite
	$(BIN)/python -m pytest -m slow

golden: $(STAMP) ## rewrite the golden files after a wanted change; read the diff
	AUTOPEFT_REWRITE_GOLDEN=1 $(BIN)/python -m pytest tests/golden

docs: $(STAMP) ## regenerate the pages that come from code and catalogue, then build the site in site/
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict --quiet

format: $(STAMP) ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
