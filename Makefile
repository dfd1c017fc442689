# Set-up and jobs. Every target makes what it needs; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
# uv sets up about 200 pinned packages in under a minute; pip alone takes several
UV_VERSION := 0.13.9
READY := .venv/.ready
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: setup demo test lint types unit unit-rooms unit-whole dev bench bench-training docs lock sbom audit clean-demo help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

setup: $(READY) ## make .venv with the pinned packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) else "found Python " + v + ", needed 3.11 or newer; install one and run make PYTHON=python3.12")'
	@test -x $(UV) || { $(PYTHON) -m venv .venv || { echo "found no venv module, needed it for .venv; install python3-venv"; exit 1; }; }
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps uv==$(UV_VERSION) -e .
	@touch $@

demo: setup ## licensed phantom deliveries through every asset to an evaluated model and an audit report
	$(BIN)/larmor demo

test: lint types unit ## lint, types and all tests

lint: setup ## style, security, the rooms' import contract, and known vulnerabilities where the index tells them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(BIN)/python .ci/audit.py || [ $$? -eq 2 ]

types: setup ## static types
	$(BIN)/mypy

# two processes beside each other: most of a test's time is a wait for servers and processes that it started; and torch,
# Spark and browsers of one half do not stay in memory (2 GB) for the other
unit: setup ## all tests
	@$(MAKE) --no-print-directory --jobs=2 --keep-going unit-rooms unit-whole

unit-rooms: setup
	$(BIN)/pytest tests/training tests/stages tests/lineage tests/schemas tests/deid tests/lake

unit-whole: setup
	$(BIN)/pytest tests/orchestration tests/assets tests/docs tests/imaging

dev: setup ## Dagster UI on the local lake
	$(BIN)/larmor dev

bench: setup ## measured claims, side by side with the peers
	$(BIN)/python -m benchmarks

bench-training: setup ## measured claims of training, side by side with the peers; about 90 minutes on two cores
	$(BIN)/python -m benchmarks tokens running restoration hippocampus

docs: setup ## the documentation as a site, build/docs/index.html; warnings are errors
	$(BIN)/sphinx-build --fresh-env --write-all --fail-on-warning --keep-going --quiet -d build/doctrees docs build/docs
	@echo build/docs/index.html

lock: ## requirements.lock from pyproject.toml (versions and hashes only)
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock

sbom: setup ## sbom.json: the pinned packages as a CycloneDX bill of materials
	$(UV) tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file sbom.json

audit: setup ## known vulnerabilities of the pinned packages; fails where the index tells none
	@$(BIN)/python .ci/audit.py

clean-demo: setup ## remove the demo's lake, unless it holds anything else
	$(BIN)/larmor demo remove
