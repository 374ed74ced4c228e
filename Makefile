.DEFAULT_GOAL := help
.PHONY: help setup demo run test chaos lint type check bench bench-scale migrate revision format

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINNED := --constraint constraints.txt --build-constraint constraints.txt
# One torch thread each: two spin while they wait for each other, and beside another busy process are
# 4 to 8 times slower than one. Where a test needs two, they do not spin.
# One test process more than cores, four at most: many tests wait for a while.
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest --dist=worksteal

help:  ## Show these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.developer  ## Install everything into .venv, pinned

demo: $(VENV)/.user  ## Start all, do the whole assignment, save it in out/ (EXIT=1: end then)
	$(BIN)/darkroom demo $(if $(filter-out 0,$(EXIT)),--exit)

run: $(VENV)/.user  ## Start all and serve on http://127.0.0.1:8000
	$(BIN)/darkroom up

test: setup  ## Run all tests (where it may, it installs Debian's redis-server and chromium)
	@.ci/debian-packages
	$(PYTEST) --numprocesses=$(PROCESSES)

chaos: setup  ## Kill, cut, fill and lock everything, for a quarter of an hour
	@.ci/debian-packages
	DARKROOM_TEST_DATABASE=both $(PYTEST) --numprocesses=logical --maxprocesses=4 \
		-m "thorough or not thorough" --hypothesis-profile=chaos \
		tests/chaos tests/dispatcher/test_state_machine.py

lint: setup  ## Check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

type: setup  ## Check types
	$(BIN)/mypy

check: lint type test  ## Everything that must pass before a commit

bench: setup  ## Run the benchmarks
	$(BIN)/python -m benchmarks

bench-scale: setup  ## Run 64 workers, 100,000 jobs and two workers beside bare loops
	$(BIN)/python -m benchmarks.scale

migrate: $(VENV)/.user  ## Bring the database that the environment names up to date
	$(BIN)/darkroom migrate

revision: setup  ## Write a migration from the tables: make revision m="add progress"
	$(BIN)/alembic revision --autogenerate -m "$(m)"

format: setup  ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.user: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Darkroom needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@echo "Installing the pinned packages into $(VENV); PyTorch is large, this takes a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet $(PINNED) --editable '.[worker,embedded]'
	@touch $@

$(VENV)/.developer: $(VENV)/.user
	$(PIP) install --quiet $(PINNED) --group dev
	@touch $@
