# Two commands: `make bench` runs the main job, `make test` the tests. Both set everything up first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/bench
BENCH ?=
# uv does not read pip's setting for extra wheels; where there is none, it finds the CPU torch itself.
export UV_FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
TORCH := $(if $(strip $(UV_FIND_LINKS)),,--torch-backend cpu)

.PHONY: bench test check train throughput setup clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv==0.13.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(TORCH) -c constraints.txt -e '.[cpu,dev]'
	touch $@

bench: setup
	$(BIN)/reasoner bench --out $(OUT) $(BENCH)

test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy reasoner tests
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

throughput: setup
	$(BIN)/python -m reasoner.benchmarks.throughput

train: setup
	$(BIN)/reasoner train --out runs/train

clean:
	rm -rf $(VENV) build dist *.egg-info
