# make demo: the main job on the sample pictures.   make test: every check.   make check: the fast ones.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check docs bench bench-large bench-serve quality torture mutants lint types clean

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "vecsearch needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/vecsearch demo

test: lint types docs
	$(BIN)/pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder --max-worker-restart 0

# Files whose tests take a few seconds together.
FAST := tests/test_docs.py $(foreach one,images/test_colour images/test_values cli/test_help cli/test_options \
	mutants/test_mutants view/test_picture_names view/test_spreadsheet view/test_typeset,tests/$(one).py)

check: lint types  # under a minute and a half on two cores
	$(BIN)/pytest --numprocesses 2 --dist loadscope $(FAST)

docs: $(INSTALLED)  # the site, in docs/_build; a broken link is an error
	rm -rf docs/_build
	$(BIN)/sphinx-build --fail-on-warning --nitpicky --keep-going --quiet docs docs/_build

bench: $(INSTALLED)  # about 40 minutes on two cores, which should have nothing else to do
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/rerank.py
	$(BIN)/python benchmarks/warm.py

bench-large: $(INSTALLED)  # about an hour on two idle cores and 6 GB of memory; installs hnswlib, usearch and ScaNN
	$(BIN)/python benchmarks/large.py

bench-serve: $(INSTALLED)  # half an hour on two idle cores and 8 GB of memory; needs wrk
	$(BIN)/python benchmarks/serving.py .bench-serve

quality: $(INSTALLED)  # neighbours, words and copies over labelled pictures: make quality DATA=FOLDER with steakhouse or caltech101 in it
	$(BIN)/python benchmarks/quality.py $(DATA)
	$(BIN)/python benchmarks/copies.py $(wildcard $(DATA)/caltech101 $(DATA)/steakhouse)
	$(BIN)/python benchmarks/minus.py $(DATA)

torture: $(INSTALLED)  # hours on two cores; SHARE=0.01 tries each a hundredth as often
	PYTHONPATH=tests $(BIN)/python -m durability --share $(or $(SHARE),1)

mutants: $(INSTALLED)  # two hours on two cores; ARGUMENTS="--only TEXT" tries some, --left those not noticed before
	PYTHONPATH=tests $(BIN)/python -m mutants $(ARGUMENTS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

clean:
	rm -rf $(VENV) output docs/_build .mutants .bench-serve .mypy_cache .pytest_cache .ruff_cache
