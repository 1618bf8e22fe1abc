# What a developer needs, in one place. Everything is made inside the clone; nothing needs root.

PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) python3)
VENV := .venv/bin
PYTEST_ARGS ?=
# Processes that tests run in, one for each core of a small machine; 0 runs them in this one, for a debugger.
TEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup test lint format lock demo docs contracts clean distclean

help:  ## Show what can be made
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup:  ## Environment, npm tools and test nodes; quick when nothing has changed
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is missing: apt install python3"; exit 1; }
	@$(PYTHON) -B scripts/set_up.py

test: setup  ## All tests, on real nodes too; PYTEST_ARGS="-k swap" picks some
	@$(VENV)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup  ## Linter, formats, types and import directions
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-logo
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" forge fmt --check --root chains/evm/contracts

format: setup  ## Bring all code into the project's format
	@$(VENV)/ruff check --fix-only --quiet .
	@$(VENV)/ruff format .
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" forge fmt --root chains/evm/contracts

lock: setup  ## Pin every dependency anew: requirements.lock and package-lock.json
	@$(PYTHON) -B scripts/lock.py

demo: setup  ## A covered call from offer to exercise, on two real nodes
	@$(VENV)/strikelock demo option

docs: setup  ## The documentation as a site, in site/
	@$(VENV)/mkdocs build --quiet --strict

contracts: setup  ## Compile the contracts into chains/evm/artifacts
	@$(VENV)/python chains/evm/contracts/build.py

clean:  ## Remove what builds and tests leave behind; the environment and the nodes stay
	@rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf chains/evm/contracts/out chains/evm/contracts/cache .nodes/cache
	@find chains htlc options relayer settlement tests scripts -name __pycache__ -prune -exec rm -rf {} +

distclean: clean  ## Remove the environment, the tools and the nodes as well
	@rm -rf .venv .tools .nodes node_modules strikelock.egg-info
