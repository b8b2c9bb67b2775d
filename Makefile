# `make demo` and `make test` need Python 3.11 or later and make, nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/demo
MINUTES ?= 10
WORKERS ?= 2
KILLS ?= 200
MUTANTS ?= 40

.DEFAULT_GOAL := help
.PHONY: help install demo app test lint format docs coverage mutants soak bench bench-full clean distclean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

# The stamp makes the second call quick; it is out of date when the dependencies are.
$(VENV)/.installed: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed, and '$(PYTHON)' is not. Try: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@test -x "$(BIN)/python" || "$(PYTHON)" -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	"$(BIN)/python" -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	"$(BIN)/python" -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed
	"$(BIN)/python" -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	@touch $@

install: $(VENV)/.installed ## make .venv and install the package with its tools

demo: $(VENV)/.installed ## train on pictures that the program draws, and write a report
	"$(BIN)/latentbloom" fit synthetic-flowers --minutes $(MINUTES) --out "$(RUN)"
	@echo "Open this in a browser: $(RUN)/report.html"

app: $(VENV)/.installed ## open a page to generate, explore and edit with the demo's model
	@test -f "$(RUN)/config.json" || $(MAKE) demo
	"$(BIN)/latentbloom" app "$(RUN)"

# Two workers of one thread each are quicker than one with two.
test: export OMP_NUM_THREADS = 1
test: lint ## everything that CI checks
	"$(BIN)/python" -m pytest -n $(WORKERS)

lint: $(VENV)/.installed ## style, format, types and the order of the rooms
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/pyrefly" check --python-interpreter-path "$(BIN)/python"
	"$(BIN)/lint-imports" --no-cache

format: $(VENV)/.installed ## put the code into shape
	"$(BIN)/ruff" check --fix .
	"$(BIN)/ruff" format .

docs: $(VENV)/.installed-docs ## docs/_build/html
	"$(BIN)/python" docs/diagrams.py
	"$(BIN)/sphinx-build" --fail-on-warning --keep-going -q docs docs/_build/html
	@echo "Open this in a browser: docs/_build/html/index.html"

coverage: export OMP_NUM_THREADS = 1
coverage: $(VENV)/.installed ## lines that most of the tests run, 20 minutes: runs/coverage
	"$(BIN)/python" -m pytest -n $(WORKERS) --cov --cov-report=term --cov-report=html \
	  --ignore=tests/browser --ignore=tests/docs --ignore=tests/packaging \
	  --ignore=tests/fitting/test_crash_points.py

mutants: export OMP_NUM_THREADS = 1
mutants: $(VENV)/.installed-mutants ## small changes of the code that the tests must notice, MUTANTS of each group
	"$(BIN)/python" -m bench.mutants --each $(MUTANTS)

soak: export OMP_NUM_THREADS = 1
soak: $(VENV)/.installed ## kill and break tiny runs at every point and at random moments, for hours
	"$(BIN)/python" -m bench.crashes kill
	"$(BIN)/python" -m bench.crashes fail
	"$(BIN)/python" -m bench.crashes copy
	"$(BIN)/python" -m bench.soak --kills $(KILLS)
	"$(BIN)/python" -m bench.kills

bench: $(VENV)/.installed-bench ## speed and quality beside other programs, about 15 minutes: bench/results.md
	"$(BIN)/python" -m bench

bench-full: SOURCE = synthetic-flowers
bench-full: MINUTES = 20 60
bench-full: $(VENV)/.installed-bench ## the same for hours: make bench-full SOURCE=pictures MINUTES="20 60"
	"$(BIN)/python" -m bench --full --source "$(SOURCE)" --minutes $(MINUTES) --work "runs/bench-full"

clean: ## remove what the tools left
	rm -rf build dist docs/_build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment, too
	rm -rf "$(VENV)"
