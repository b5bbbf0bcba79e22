# Works on a machine with GNU make and Python 3.11 or later, venv included. All paths are relative, so that the
# checkout may lie in a directory with spaces in its name.
PYTHON ?= python3
CONFIG ?= config/tidegate.yaml
BENCH  ?=
ALERTS := deploy/kubernetes/components/alerts/prometheusrule.yaml

PY  := .venv/bin/python
# What a command of tidegate prints, into a file that stays as it is when the command fails.
write = $(PY) -m proxy $(1) > $(2).new && mv $(2).new $(2)
# promtool and its like, where tests/install.sh put them
export PATH := $(CURDIR)/.cache/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Quiet while it works, the whole log when it fails.
PIP := sh tests/quiet.sh .venv/install.log $(PY) -m pip --no-input install
LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test checks lint bench generated sbom lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

run: .venv/run.stamp ## start the sidecar with CONFIG (config/tidegate.yaml)
	@exec $(PY) -m proxy run --config "$(CONFIG)"

# A file's tests stay together, because some share a process; many of them wait more than they work.
test: checks ## run every check and every test; what CI runs
	@$(PY) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

lint: checks ## run every check, without the tests
	@$(PY) -m pytest -q tests/test_floors.py tests/test_dangers.py

checks: .venv/test.stamp
	@sh tests/install.sh
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive proxy
	@$(PY) -m yamllint --strict .*.yaml config deploy proxy
	@.venv/bin/hadolint Dockerfile
	@find deploy tests -name '*.sh' -exec .venv/bin/shellcheck --shell=sh {} + && .venv/bin/shellcheck .ci/run
	@sh tests/find_secrets.sh

bench: .cache/bench/stamp ## print the benchmark table; BENCH="--rounds 5" and the like is passed on
	@sh tests/bench/install.sh
	@.cache/bench/bin/python -m tests.bench $(BENCH)

generated: .venv/test.stamp ## write anew what is made from code and configuration: schema, rules, dashboard and README's table
	@$(call write,schema,config/schema.json)
	@$(call write,rules --config deploy/compose/tidegate.yaml,deploy/compose/rules.yaml)
	@$(call write,dashboard --config deploy/compose/tidegate.yaml,deploy/grafana/dashboard.json)
	@$(call write,rules --kubernetes --config deploy/kubernetes/components/sidecar/tidegate.yaml,$(ALERTS))
	@$(PY) -m tests.catalogue.table

sbom: .venv/test.stamp ## list all dependencies with version and hash in build/sbom.json (CycloneDX)
	@mkdir -p build
	@sed "s/^dynamic = .*/version = \"$$($(PY) -c 'import proxy; print(proxy.__version__)')\"/" pyproject.toml \
		> build/pyproject.toml
	@PYTHONWARNINGS=ignore .venv/bin/cyclonedx-py requirements --pyproject build/pyproject.toml --short-PURLs \
		--output-reproducible --output-file build/sbom.json requirements/run.txt

lock: .venv/run.stamp ## pin all dependencies anew, by hash and without any registry's address
	@$(PIP) uv
	@$(LOCK) --upgrade pyproject.toml requirements/run.in -o requirements/run.txt
	@$(LOCK) --upgrade requirements/test.in -o requirements/test.txt
	@$(LOCK) --upgrade requirements/bench.in -o requirements/bench.txt
	@! grep -nE 'https?://|file:|--(extra-)?index-url|--find-links' requirements/*.txt

clean: ## remove whatever make created
	@rm -rf .venv .cache build dist *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tidegate needs Python 3.11 or later; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python has no complete venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "creating .venv"
	@$(PYTHON) -m venv --clear .venv

.venv/run.stamp: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "installing the pinned dependencies"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# An environment of its own, because the interpreter's build decides a third of the speed.
.cache/bench/stamp: requirements/run.txt tests/bench/python.sh
	@echo "installing the benchmark's environment"
	@mkdir -p .cache && $$(sh tests/bench/python.sh $(PYTHON)) -m venv --clear .cache/bench
	@sh tests/quiet.sh .cache/bench/install.log .cache/bench/bin/python -m pip --no-input install --require-hashes \
		-r requirements/run.txt
	@touch $@

.venv/test.stamp: requirements/test.txt .venv/run.stamp
	@echo "installing what the tests need"
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@
