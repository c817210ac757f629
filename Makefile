# Two commands set everything up on a fresh machine: `make demo` and `make test`. Both make .venv themselves.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 60
# One thread a process: several processes share the cores, in tests and in the demo.
export OMP_NUM_THREADS ?= 1
# Trees take two; they must not spin while they wait for a core that another process has.
export OMP_WAIT_POLICY ?= PASSIVE
export FLWR_TELEMETRY_ENABLED := 0
export FLWR_DISABLE_UPDATE_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-slow test-crash test-browser check format protos vectors diagrams docs bench-quality bench-generator bench-ablation bench-secagg bench-privacy bench-audit bench-catalogue fuzz clean

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp names what was installed, so that a changed pyproject.toml or constraints.txt installs again.
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

$(STAMP):
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not here; install Python 3.11 or say make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@rm -f $(VENV)/.installed-* && touch $@

setup: $(STAMP)  ## Make .venv with everything that development needs.

demo: $(STAMP)  ## A whole consortium on this machine, end to end. ARGS="--organisations 5 …" passes options.
	$(BIN)/headwater-coordinator demo $(ARGS)

test: test-fast test-slow test-crash test-browser  ## All tests.

test-fast: $(STAMP)  ## The fast suite.
	@tools/ensure_postgres.sh
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not crash and not browser" $(PYTEST_ARGS)

test-slow: $(STAMP)  ## End-to-end runs of real processes.
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow $(PYTEST_ARGS)

test-crash: $(STAMP)  ## Processes killed at every point of a round, full disks, records rolled back.
	$(BIN)/python -m pytest -q -n 2 -m crash tests/crash $(PYTEST_ARGS)

test-browser: $(STAMP)  ## Pages in a real browser; pictures of them are left in artefacts/.
	axe=$$(tools/ensure_browser.sh) && HEADWATER_AXE="$$axe" $(BIN)/python -m pytest -q -m browser tests/browser $(PYTEST_ARGS)

check: $(STAMP)  ## Format, lint, types, import contracts, generated code.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/gen_protos.py --check
	$(BIN)/python tools/gen_vectors.py --check
	$(BIN)/python tools/gen_policy_table.py --check

format: $(STAMP)  ## Format and mend what can be mended by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(STAMP)  ## Generate the gRPC code again.
	$(BIN)/python tools/gen_protos.py

vectors: $(STAMP)  ## Generate the test vectors again.
	$(BIN)/python tools/gen_vectors.py

diagrams: $(STAMP)  ## Draw the protocol's diagrams again.
	$(BIN)/python tools/diagrams/generate.py

docs: $(STAMP)  ## Build the documentation into site/.
	$(BIN)/mkdocs build --strict

bench-quality: $(STAMP)  ## Simulate on real tables and judge. DATA=folder of CSVs.
	$(BIN)/python tools/bench/run_quality.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-generator: $(STAMP)  ## Measure generators against the numbers to reach. ARGS="--quick", DATA=folder of CSVs.
	$(BIN)/python tools/bench/run_generator.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-ablation: $(STAMP)  ## What each setting of the generator is worth. DATA=folder of CSVs.
	$(BIN)/python tools/bench/run_ablation.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-secagg: $(STAMP)  ## Measure secure aggregation beside Flower's SecAgg+. ARGS="--quick --only a,c".
	$(BIN)/python tools/bench/run_secagg.py $(ARGS)

bench-privacy: $(STAMP)  ## What private releases are worth beside AIM and MST. ARGS="--quick", DATA=folder of CSVs.
	$(BIN)/python tools/bench/run_privacy.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-audit: $(STAMP)  ## Audit copiers and honest tables, beside peers. ARGS="--quick", DATA=folder of CSVs.
	$(BIN)/python tools/bench/run_audit.py $(if $(DATA),--data $(DATA)) $(ARGS)

bench-catalogue: $(STAMP)  ## Measure the catalogue beside nginx, curl and CTGAN. ARGS="--quick --only file", DATA=folder.
	$(BIN)/python tools/bench/run_catalogue.py $(if $(DATA),--data $(DATA)) $(ARGS)

fuzz: $(STAMP)  ## Fuzz every parser and both state machines. FUZZ_SECONDS=60 for all together.
	$(BIN)/python tools/fuzz/run.py --seconds $(FUZZ_SECONDS) $(ARGS)

clean:  ## Remove what was built; .venv stays.
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis demo sim
