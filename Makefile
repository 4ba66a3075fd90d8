# The project's chores. `make up` and `make test` work on a fresh machine with Python 3.11 or newer.
# ARGS is handed on: `make up ARGS="--port 9000"`, `make test ARGS="-k funding"`.
# A command stands alone on its line, so that make starts it without a shell between and signals reach it.

BIN = .venv/bin

.PHONY: help setup up test check format bench chaos lock clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

setup: ## make .venv with all that is needed to run
	@scripts/setup base

up: setup ## start everything: http://127.0.0.1:8080
	@$(BIN)/agentic up $(ARGS)

.PHONY: setup-dev
setup-dev:
	@scripts/setup dev

test: setup-dev ## run every test; browser tests are skipped without a browser, unless CI is set
	@scripts/browser > /dev/null || test -z "$$CI"
	@$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

check: setup-dev ## lint, format, types and the rules of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-dev ## mend what can be mended by machine
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup-dev ## measure speed and memory
	@$(BIN)/python -m bench $(ARGS)

chaos: setup-dev ## live 500 seeded lives through faults, and audit each
	@$(BIN)/python -m tests.chaos $(ARGS)

lock: setup ## pin the newest versions that fit pyproject.toml
	@scripts/lock

clean: ## remove .venv and every cache; what is under AGENTIC_HOME stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
