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
.PHONY: help setup demo check test test-slow golden docs format clean audit licences wheel-reproducible lowest newest faults kills fuzz soak

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

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

# The database of known faults is on the internet: what cannot be looked up fails the audit, and is named.
audit: $(STAMP) ## the pinned versions against the published faults (pip-audit)
	$(BIN)/pip install --quiet --constraint constraints.txt pip-audit
	$(BIN)/pip-audit --strict --progress-spinner off --no-deps --disable-pip --requirement constraints.txt

licences: $(STAMP) ## docs/licences.md: what is installed with autopeft, under which licence
	$(BIN)/pip install --quiet --constraint constraints.txt pip-licenses
	$(BIN)/python benchmarks/licences.py

wheel-reproducible: $(STAMP) ## build the wheel twice: the same bytes?
	rm -rf dist/first dist/second
	for place in first second; do \
	  SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BIN)/python -m build --wheel --outdir dist/$$place . > /dev/null || exit 1; \
	done
	sha256sum dist/first/*.whl dist/second/*.whl
	cmp dist/first/*.whl dist/second/*.whl

# A quick part of the tests under the lower bounds of pyproject.toml, and under whatever is newest.
VERSIONS_TESTS := tests/unit/domain tests/unit/catalog tests/unit/data tests/unit/search tests/unit/modeling tests/unit/training
lowest: $(STAMP) ## tests under the lowest versions that pyproject.toml allows, in .venv-lowest
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/python benchmarks/versions.py lowest-direct .venv-lowest $(VERSIONS_TESTS)

newest: $(STAMP) ## tests under the newest versions that there are, in .venv-newest
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/python benchmarks/versions.py highest .venv-newest $(VERSIONS_TESTS)

faults: $(STAMP) ## 200 faults of every kind; figures in benchmarks/reliability.md, as of the next four
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.faults

kills: $(STAMP) ## 30 searches killed and resumed; needs AUTOPEFT_MATERIAL
	$(BIN)/python -m benchmarks.reliability --seconds 7200

fuzz: $(STAMP) ## 10,000 broken inputs for every reader
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fuzz.py

soak: $(STAMP) ## 2,000 made-up trials and 300 real ones; needs AUTOPEFT_MATERIAL
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.soak stub
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.soak real

clean: ## remove .venv and caches
	rm -rf $(VENV) .venv-lowest .venv-newest .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
