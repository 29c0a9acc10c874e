# Two commands do all the set-up: `make lab` and `make test`. `make help` names the others.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
SETUP := PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" sh tools/setup.sh $(VENV)

.DEFAULT_GOAL := help
.PHONY: help lab test notebooks exercises claims site bench constraints

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

lab: ## set up what is missing, then open the first lesson in JupyterLab (LAB_FLAGS="--no-browser --port 8890")
	@$(SETUP) lab
	@$(VENV)/bin/attn-course lab $(LAB_FLAGS)

test: ## everything that CI runs: style, notebooks, tests (in a browser too)
	@$(SETUP) test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) tools/check_notebooks.py
	$(PY) -m pytest tests -n 2 --dist loadfile

notebooks: ## execute the lessons and solutions anew, and normalise them
	@$(SETUP) test
	$(PY) tools/notebooks.py

exercises: ## make exercises/ from solutions/
	@$(SETUP) test
	$(PY) tools/exercises.py

claims: ## fill in the claims ledger from the executed lessons
	@$(SETUP) test
	$(PY) tools/claims.py

site: ## build the static site
	@$(SETUP) test
	$(PY) tools/site.py

bench: ## measure start-up, widgets, the layer of heads, what the vitals cost, and what pruning saves
	@$(SETUP) test
	$(PY) tools/bench.py
	$(PY) tools/bench_widgets.py
	$(PY) tools/bench_heads.py
	$(PY) tools/bench_vitals.py
	$(PY) tools/bench_pruning.py

constraints: ## pin the newest versions that fit pyproject.toml, in constraints.txt (PYTHON=python3.11, the oldest there is)
	@sh tools/constraints.sh "$(PYTHON)"
