# Ringdown: `make help` lists what can be made.

.DEFAULT_GOAL := build
.PHONY: run test check build binary bench promises fuzz vuln e2e generate help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARGS ?=
T ?=

run: build ## build everything and start the demo; needs Go and git only (ARGS=… for the daemon)
	bin/ringdown serve $(ARGS)

test: ## everything that must hold: Go with -race on both databases, types, pages, real browsers
	scripts/test

check: ## formatting, linters and types
	scripts/check

build: generate binary ## the pages and bin/ringdown

# The version is ours to say: stamping by the go command fails in a clone that another user owns.
binary:
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags nomsgpack -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ringdown ./cmd/ringdown

bench: build ## start-up time, idle memory, sizes, delivery under load: three runs, the median judged
	go run scripts/bench.go
	scripts/promises C7 D7 D8 D9

promises: ## every promise with its figure, alone on the machine; T="D8 M1" narrows it
	scripts/promises $(T)

fuzz: ## every fuzz target for FUZZTIME (20s)
	scripts/fuzz

vuln: ## known vulnerabilities of what we import (for releases; needs the network)
	scripts/vuln

e2e: build ## only the browser tests; T=<part of a file's name> narrows them
	scripts/e2e $(T)

generate: ## the pages and every other generated file
	go generate ./...

help: ## this list
	@scripts/help
