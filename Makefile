# Two commands: `make run` starts the console, `make test` checks it. `make help` lists the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
# Without bytecode every start takes four times as long.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
UV := .venv/uv/bin/uv
SYNC := $(UV) pip sync --quiet --require-hashes --python $(PYTHON)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: run
run: .venv/run.stamp ## start everything and print the address (ARGS="--port 9000")
	@exec $(PYTHON) manage.py up $(ARGS)

.PHONY: test
test: lint ## all static checks, then all tests
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: .venv/dev.stamp ## static checks only
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy .
	.venv/bin/lint-imports
	.venv/bin/djlint templates --lint --quiet

.PHONY: format
format: .venv/dev.stamp ## rewrite files the way `lint` wants them
	$(PYTHON) -m ruff check --fix-only .
	$(PYTHON) -m ruff format .

.PHONY: bench
bench: .venv/bench.stamp ## measure, print, and write benchmarks/results/
	$(PYTHON) -m benchmarks $(ARGS)

.PHONY: chaos
chaos: .venv/dev.stamp ## hurt the whole product for ten minutes, then question it (ARGS="--seed 7")
	$(PYTHON) -m tests.chaos $(ARGS)

.PHONY: lock
lock: $(UV) ## pin what pyproject.toml asks for (UPGRADE=--upgrade takes newer releases)
	$(COMPILE) $(UPGRADE) pyproject.toml --extra embedded --group dev --group bench -o requirements/bench.txt
	$(COMPILE) -c requirements/bench.txt pyproject.toml --extra embedded --group dev -o requirements/dev.txt
	$(COMPILE) -c requirements/bench.txt pyproject.toml --extra embedded -o requirements/run.txt
	$(COMPILE) -c requirements/bench.txt pyproject.toml -o requirements/base.txt
	echo uv | $(COMPILE) $(UPGRADE) - -o requirements/uv.txt

.PHONY: clean
clean: ## remove the environment and caches; data under var/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A larger set holds the smaller ones, so each stamp also counts for those; installing a smaller
# set removes what only the larger one needed, and with it that stamp.
.venv/run.stamp: requirements/run.txt | $(UV)
	$(SYNC) $<
	@rm -f .venv/dev.stamp .venv/bench.stamp && touch $@

.venv/dev.stamp: requirements/dev.txt | $(UV)
	$(SYNC) $<
	@rm -f .venv/bench.stamp && touch .venv/run.stamp $@

.venv/bench.stamp: requirements/bench.txt | $(UV)
	$(SYNC) $<
	@touch .venv/run.stamp .venv/dev.stamp $@

# uv lives beside the packages it manages, because a sync removes whatever the lock does not name.
$(UV): requirements/uv.txt | $(PYTHON)
	$(PYTHON) -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
		--upgrade --target .venv/uv -r requirements/uv.txt
	@touch $@

$(PYTHON):
	@for python in python3.11 python3.12 python3.13 python3.14 python3; do \
		"$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
			&& exec "$$python" -m venv .venv; \
	done; \
	echo "No Python 3.11 or newer with its venv module was found on PATH." >&2; \
	echo "Debian: apt install python3-venv. macOS: install Python from python.org or Homebrew." >&2; \
	exit 1
