# Entry points. Each does its own set-up (scripts/setup.sh), which costs nothing when everything is in place.
.DEFAULT_GOAL := help
.PHONY: help setup build packages demo test sil aarch64 soak bench parity docs reference lint faults prove clean

PRESET ?= release
comma := ,

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: ## install what programs, tests and lint need
	scripts/setup.sh lanes

build: ## programs and modules into build/$(PRESET) (PRESET=release)
	scripts/setup.sh build
	cmake --preset $(PRESET)
	jobs=$$(scripts/jobs.sh) && cmake --build --preset $(PRESET) --parallel "$$jobs"

demo: ## compile, provision, verify and run the demo networks on photographs
	scripts/demo.sh

test: ## all tests
	scripts/test.sh

sil: ## runtime tensorrt without a GPU: its tests, and its programs from a model to a flight
	scripts/sil.sh

aarch64: ## cross-compile for aarch64, and run the unit tests under qemu (docs/design/aarch64.md)
	scripts/aarch64.sh

soak: ## fly under faults and check invariants each second (MINUTES=3, SEED=n, FAST=1; CONTROL=name has to fail): out/soak
	MINUTES='$(MINUTES)' SEED='$(SEED)' FAST='$(FAST)' CONTROL='$(CONTROL)' scripts/soak.sh

bench: ## measure beside the raw SDK (ten minutes beside the build; ONLY=call,precision,python,torch,lanes,load,...; FULL=1; QUICK=1)
	scripts/bench.sh $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full) $(if $(QUICK),--quick)

parity: ## how far the runtimes are apart: writes docs/reference/parity.md
	scripts/parity.sh

docs: ## the documentation as a site, in out/site
	scripts/docs.sh

reference: ## bring docs/reference up to date with the code
	scripts/reference.sh

packages: ## both Debian packages into out/packages (OPTIONS="-D..." for CMake)
	scripts/packages.sh $(OPTIONS)

lint: ## format, static analysis, include directions, sizes
	scripts/lint.sh

faults: ## what shows that signed sets can be trusted, in one table (STEPS=kills,errno,corruption,...)
	scripts/trust_table.sh $(subst $(comma), ,$(STEPS))

prove: ## the full counts; goes on where it was stopped
	scripts/prove.sh

clean: ## remove build/ and out/ (.venv and .deps stay)
	rm -rf build out
