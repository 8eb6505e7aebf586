# flinks-landing: `make` prints this list. Needs CPython 3.13 and make; everything else is installed below .venvs/.
# Every recipe runs in an environment of our own making: ops/shell says what of the machine's is handed on.
SHELL := ops/shell
export REACHES_AWS :=
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Settings are given on the command line (make PYTHON=...): what an environment calls PYTHON, CONFIG or CONFIRM is not
# meant for us. A shim of a version manager may be on PATH and still not run: ask each candidate who it is.
PYTHON := $(shell for c in python3.13 python3 "$$HOME"/.pyenv/versions/3.13.*/bin/python3.13; do \
  "$$c" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
  && "$$c" -c 'import sys; print(sys.executable)' && break; done || true)
VENVS := .venvs
UV := $(VENVS)/tools/bin/uv
DOWNLOAD := $(VENVS)/tools/bin/python ops/mirrors.py
# Tests run make themselves: theirs must not look for our job server.
PYTEST := env -u MAKEFLAGS -u MFLAGS $(VENVS)/test/bin/pytest
say = @printf '%s\n' "$(1)"
quoted = '$(subst ','\'',$(1))'

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Guards. A line is one command throughout: the make of macOS (3.81) knows no .ONESHELL.
.PHONY: cpython linux
cpython:
	@[ -n $(call quoted,$(PYTHON)) ] || { \
	  echo "No CPython 3.13 found. Put python3.13 on PATH, or name one: make PYTHON=/path/to/python3.13 ..." >&2; exit 2; }
linux:
	@{ [ "$$(uname -s)" = Linux ] && uname -m | grep -qE '^(x86_64|aarch64)$$'; } || { \
	  echo "flinks-landing runs its local stack on Linux (x86_64 or arm64, WSL2 included); this is $$(uname -s) $$(uname -m)." >&2; \
	  echo "make lint, make suite-in-memory, make build and make deploy run on macOS too." >&2; exit 2; }

# What AWS is built for: functions, layer and the template's parameter all follow this one.
ARCHITECTURE := arm64
CONFIG := default
FIRST :=
CONFIRM :=
CLOUDFORMATION_ROLE :=
SAMCONFIG := samconfig.toml
SAM := $(VENVS)/sam/bin/sam
BUILT := .aws-sam/build

# One virtual environment per requirements file; a stamp is newer than its file when it is installed.
$(VENVS)/tools/.installed: requirements/tools.txt | cpython
	$(call say,== setup: tools)
	@$(call quoted,$(PYTHON)) -m venv --clear $(VENVS)/tools || { echo "python -m venv failed: does this Python lack its venv/ensurepip package (Debian: python3-venv)?" >&2; exit 2; }
	@$(DOWNLOAD) $(VENVS)/tools/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(VENVS)/%/.installed: requirements/%.txt layers/landing/requirements.txt $(VENVS)/tools/.installed
	$(call say,== setup: $*)
	@$(UV) venv --quiet --clear --python $(call quoted,$(PYTHON)) $(VENVS)/$*
	@$(DOWNLOAD) $(UV) pip install --quiet --python $(VENVS)/$*/bin/python --require-hashes -r $<
	@touch $@

$(foreach e,stack lambda,$(VENVS)/$(e)/.installed): | linux

# The React that one example is tested with; where there is no npm, its test says that it was skipped.
$(VENVS)/react/.installed: tests/browser/react/package-lock.json
	$(call say,== setup: react)
	@mkdir -p $(VENVS)/react && cp tests/browser/react/package.json $< $(VENVS)/react/
	@command -v npm >/dev/null \
	  && npm ci --prefix $(VENVS)/react --ignore-scripts --no-audit --no-fund --silent --fetch-retries=1 --fetch-timeout=60000 \
	  || { echo "npm is missing or reaches no registry: the React example will not be tested" >&2; rm -rf $(VENVS)/react/node_modules; }
	@touch $@

.PHONY: setup
setup: $(foreach e,stack lambda sam ops test react,$(VENVS)/$(e)/.installed) ## install every environment from its hashed requirements

STACK_ENVIRONMENTS := $(foreach e,stack lambda sam,$(VENVS)/$(e)/.installed)

.PHONY: demo
demo: $(STACK_ENVIRONMENTS) ## run one connection through the local stack and print what happened
	@exec $(VENVS)/stack/bin/python -m local demo

.PHONY: up
up: $(STACK_ENVIRONMENTS) ## run the local stack until Ctrl-C; writes .local/stack.json
	@exec $(VENVS)/stack/bin/python -m local up

.PHONY: lint
lint: $(VENVS)/test/.installed ## ruff (bandit's rules among them), mypy --strict, rules of our own, who may import whom
	$(VENVS)/test/bin/ruff check .
	$(VENVS)/test/bin/ruff format --check .
	$(VENVS)/test/bin/mypy
	$(VENVS)/test/bin/python -m tests.lint_rules
	PYTHONPATH=layers/landing $(VENVS)/test/bin/lint-imports --no-logo --no-cache

.PHONY: test
test: setup lint ## everything that must pass: lint, types, all suites (three at once: the browser's mostly waits)
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target suite-of-units suite-on-stack suite-on-emulator suite-in-virtual-time

.PHONY: suite-in-memory suite-of-units suite-in-virtual-time suite-on-stack suite-on-emulator
suite-in-memory: suite-of-units suite-in-virtual-time ## of the tests, those that need no local stack and no browser
suite-of-units: $(VENVS)/test/.installed
	@echo "== tests in memory"
	$(PYTEST) -m "not long" tests/unit
suite-in-virtual-time: $(VENVS)/test/.installed
	@echo "== tests of the virtual world, and schedules in it"
	$(PYTEST) -m "not long" tests/chaos tests/world
suite-on-stack: setup
	@echo "== tests on the local stack"
	$(PYTEST) -m "not long" tests/integration --ignore tests/integration/aws
suite-on-emulator: setup
	@echo "== tests of what the local stack is made of, in a browser where there is one, and of secrets and permissions"
	$(PYTEST) -m "not long" tests/integration/aws tests/browser tests/secrets

.PHONY: test-long
test-long: setup ## what takes long: the tests marked `long`
	$(PYTEST) -m long

.PHONY: guards
guards: $(VENVS)/test/.installed ## take every guard out, one by one: a test must miss it (WORDS="tag sweep": only these)
	@env -u MAKEFLAGS -u MFLAGS $(VENVS)/test/bin/python -m tests.guards $(WORDS)

AWS_TOOLS := $(foreach e,tools sam ops,$(VENVS)/$(e)/.installed)
OPS := PYTHONPATH=.:layers/landing $(VENVS)/ops/bin/python -m
DEPLOYMENT := --config $(call quoted,$(CONFIG)) --file $(call quoted,$(SAMCONFIG)) --architecture $(call quoted,$(ARCHITECTURE)) \
  --sam $(call quoted,$(SAM)) --built $(call quoted,$(BUILT)) \
  $(if $(CLOUDFORMATION_ROLE),--role $(call quoted,$(CLOUDFORMATION_ROLE)))

.PHONY: build
build: $(AWS_TOOLS) ## build functions and layer for AWS (ARCHITECTURE=arm64 or x86_64), and list what is in them
	@$(OPS) ops.deploy build $(DEPLOYMENT)
	@$(MAKE) --no-print-directory sbom

SBOM ?= .aws-sam/sbom.cdx.json
.PHONY: sbom audit
sbom: $(SBOM) ## write the packages of the layer as a CycloneDX SBOM (SBOM=file)
$(SBOM): layers/landing/requirements.txt
	@$(MAKE) --no-print-directory $(VENVS)/audit/.installed
	@mkdir -p $(@D)
	@$(VENVS)/audit/bin/cyclonedx-py requirements $< --output-reproducible --spec-version 1.6 --output-file $@
	@echo "SBOM: $@"
audit: $(VENVS)/audit/.installed ## ask what is known against every package we pin (3: not all could be asked about)
	@$(VENVS)/audit/bin/python -m ops.audit $(VENVS)/audit/bin/pip-audit layers/landing/requirements.txt requirements/*.txt

deploy destroy: export REACHES_AWS := yes
.PHONY: deploy
deploy: $(AWS_TOOLS) ## build, then create or update the stack of samconfig.toml (CONFIG=default or prod; FIRST=yes once; CLOUDFORMATION_ROLE=arn)
	@$(OPS) ops.deploy deploy $(DEPLOYMENT) $(if $(FIRST),--first)

.PHONY: destroy
destroy: $(AWS_TOOLS) ## remove a dev stack and all its data, for ever (CONFIG=default; CONFIRM=the stack's name)
	@$(OPS) ops.deploy destroy $(DEPLOYMENT) $(if $(CONFIRM),--confirm $(call quoted,$(CONFIRM)))

.PHONY: contracts
contracts: $(VENVS)/test/.installed ## write docs/contracts/ and docs/frontend/api.md, and what is made from the contracts
	PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m ops.contracts
	PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m ops.asyncapi
	PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m ops.registry
	PYTHONPATH=. $(VENVS)/test/bin/python -m ops.unread
	PYTHONPATH=. $(VENVS)/test/bin/python -m ops.api_page
	PYTHONPATH=. $(VENVS)/test/bin/python -m ops.models

.PHONY: security
security: $(VENVS)/test/.installed ## write the tables of docs/security.md from the template
	@$(VENVS)/test/bin/python -m tests.security_page

.PHONY: states
states: $(VENVS)/test/.installed ## write docs/states.md from the rules of what may follow what
	PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m ops.states

.PHONY: kit
kit: $(VENVS)/test/.installed ## write docs/consumers/kit/ from the simulator's households
	@PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m tests.kit

.PHONY: benchmark
ROUNDS :=
benchmark: $(foreach e,test lambda benchmark,$(VENVS)/$(e)/.installed) ## compare start, batch, memory, cost; writes docs/performance.md (10 min when quiet, 30 at most; ROUNDS=3: fewer)
	@PYTHONPATH=.:layers/landing $(VENVS)/test/bin/python -m tests.benchmarks $(ROUNDS)

.PHONY: requirements
requirements: $(VENVS)/tools/.installed ## compile requirements/*.in to hashed files that name no index
	@for each in layer=layers/landing/requirements.txt $(foreach e,tools stack lambda sam ops test audit benchmark,$(e)=requirements/$(e).txt); do \
	  $(DOWNLOAD) $(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --no-annotate "requirements/$${each%%=*}.in" -o "$${each#*=}"; done

.PHONY: clean
clean: ## remove what builds and runs leave behind, not the environments
	rm -rf .aws-sam .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
