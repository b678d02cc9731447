# `make help` lists the targets. No other set-up is needed: the first one that is run makes the environment.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

# The stages say `python`: the environment's own comes first on their path.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# No plot window, and no look-up on a hub: nothing is fetched that was not asked for.
export MPLBACKEND := Agg
export HF_HUB_OFFLINE := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: environment
environment: $(INSTALLED) ## make .venv from requirements.txt; does nothing when it is up to date

# Recipes alone change .venv: reading this file, and `make -n`, change nothing.
$(INSTALLED): requirements.txt
	$(PYTHON) .ci/install.py requirements.txt

$(INSTALLED)-%: requirements-%.txt | $(INSTALLED)
	$(PYTHON) .ci/install.py requirements.txt $<

.PHONY: cluster
cluster: environment $(INSTALLED)-cluster ## the environment of a machine that Ray runs cells on, `python -m sbw cluster`

.PHONY: repro
repro: environment ## the main job: every table and figure that is not up to date
	python -m sbw check
	dvc repro figures@pretrained figures@toy
	dvc repro figures@train
	dvc repro

# In a repository of its own with the files of HEAD, which shares the cache: neither the params here nor the results change.
PAPER := .paper
.PHONY: paper
paper: environment ## the paper's number of seeds (profiles/paper), reported in docs/paper/report.md
	rm -rf $(PAPER) && mkdir $(PAPER)
	git archive HEAD | tar -x -C $(PAPER)
	cd $(PAPER) && git init --quiet && git config user.name sbw && git config user.email sbw@localhost
	cd $(PAPER) && git add --force --all && git commit --quiet --message "the files of HEAD"
	cd $(PAPER) && dvc config --local cache.dir "$(CURDIR)/.dvc/cache"
	cd $(PAPER) && dvc exp run --name paper $(foreach override,$(shell cat profiles/paper),--set-param '$(override)')
	rm -rf docs/paper && mkdir -p docs/paper
	cd $(PAPER)/plots && sed -nE 's/^!\[.*\]\((.*\.svg)\)$$/\1/p' report.md | tar -cf - -T - | tar -xf - -C "$(CURDIR)/docs/paper"
	{ echo "<!-- Made by \`make paper\` at commit $$(git rev-parse HEAD). -->"; echo; \
	  echo "Commit $$(git rev-parse --short HEAD), with the overrides of [profiles/paper](../../profiles/paper):"; echo; \
	  sed 's/^/- `/; s/$$/`/' profiles/paper; echo; \
	  cat $(PAPER)/plots/report.md; } > docs/paper/report.md

.PHONY: plots
plots: repro ## a page of interactive plots that needs no network, dvc_plots/index.html
	dvc plots show

# .dvcignore hides these pipelines from DVC. Their targets open them by a line in stages/.dvcignore, which git ignores.
open = grep -qsx '!/$(1)' stages/.dvcignore || echo '!/$(1)' >> stages/.dvcignore

.PHONY: validation
validation: environment ## the rule fitted and tested on toys whose L0 is known
	$(call open,validation)
	python -m sbw check
	dvc repro stages/validation/dvc.yaml

.PHONY: llm
llm: environment $(INSTALLED)-llm ## SAEs on a real language model: harvested, trained, evaluated, shown
	$(call open,llm)
	python -m sbw check
	dvc repro stages/llm/dvc.yaml

.PHONY: llm-sweep
llm-sweep: environment $(INSTALLED)-llm ## which L0 of the language model is right: a sweep, probes, a verdict
	$(call open,llm)
	python -m sbw check
	dvc repro stages/llm/sweep/dvc.yaml

.PHONY: test
test: environment $(INSTALLED)-llm $(INSTALLED)-cluster ## every test
	pytest

.PHONY: torture
torture: environment ## kills, damaged files and drawn params by the hundred, where `make test` has a few of each
	pytest tests/torture --torture -rP

.PHONY: check
check: environment ## lint, format and types
	ruff check .
	ruff format --check .
	mypy

.PHONY: benchmark
benchmark: environment ## lockstep against SAELens's loops, as ratios, from 50 to 16,384 features
	python -m tests.benchmarks.lockstep
	python -m tests.benchmarks.sizes
