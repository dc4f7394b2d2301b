# Each verb calls one thing; people and CI use the same ones.
PYTHON ?= python3
.DEFAULT_GOAL := help
.PHONY: help run wipe demo-connect demo-mirror wasm test test-all lint bench fuzz

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /\1	/p' $(MAKEFILE_LIST) | expand -t 12

run: ## Pulsar and Envoy with the filter, on loopback; README.md names the settings
	@$(PYTHON) -m dev.run --with-make

wipe: ## remove the data that `make run` keeps
	@$(PYTHON) -m dev.data

demo-connect: ## Kafka Connect on Pulsar, step by step, on `make run` or by itself; docs/connect.md
	@$(PYTHON) -m dev.demo_connect

demo-mirror: ## from Apache Kafka to Pulsar with MirrorMaker, step by step; docs/migration.md
	@$(PYTHON) -m dev.demo_mirror

wasm: ## dist/isthmus-VERSION.wasm and its SHA-256
	@$(PYTHON) -m dev.wasm

test: ## every ring of tests, the default offset mode whole, a smoke run of the other
	@$(PYTHON) -m dev.rings

test-all: ## the same with both modes whole, long simulations and soak runs
	@$(PYTHON) -m dev.rings --all

lint: ## format, warnings as errors, every Envoy configuration judged by Envoy
	@$(PYTHON) -m dev.lint

bench: ## speed of the codec, instructions, and the end-to-end comparison
	@$(PYTHON) -m dev.bench

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@$(PYTHON) -m dev.fuzz
