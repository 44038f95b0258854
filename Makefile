# The doors. `make help` lists them. Node comes from package.json: npm on the machine is enough to start.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: deps help demo test check unit generate lab lab-down bench fmt build clean

node_modules/.package-lock.json: package-lock.json package.json
	@hack/install-node-modules.sh
	@touch $@

deps: node_modules/.package-lock.json

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: deps ## a real virtual machine from YAML: control plane, KVM hosts, storage servers, the operator (EXIT=1: a tour, then all down)
	node hack/demo/main.ts

test: deps ## every test, on real servers; installs what is missing (root, Debian 12 or 13)
	node hack/test/main.ts

check: deps ## the quick part: types, lint, formatting, generated files, unit tests
	node hack/test/main.ts check

unit: deps ## unit tests alone
	vitest run --project unit

generate: deps ## CRDs, API reference and docs/troubleshooting.md from src/api
	node hack/generate/api/main.ts

lab: deps ## control plane, two KVM hosts, storage servers and the operator, left running; writes .lab/env
	node hack/lab/main.ts up

lab-down: deps ## takes down what `make lab` started
	node hack/lab/main.ts down

bench: deps ## the figures, a table and bench-results/bench.json (one and a half hours on two cores)
	node test/bench/main.ts

fmt: deps ## format the sources
	biome check --write .

build: deps ## one bundle of the operator for the image: dist/ovcp.mjs
	node hack/build.ts

clean: ## remove what the build wrote
	rm -rf dist coverage bench-results
