# Stickpress. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
ARGS    ?=
IMAGE   ?=
EDITION ?=
PKG     ?=

WEB_SRC := $(shell find web/static web/view web/package.json web/package-lock.json web/build.mjs -type f -not -path '*/dist/*' 2>/dev/null)
DIST    := web/static/dist/.built
LINT    := $(GO) tool -modfile=.ci/lint/go.mod golangci-lint

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.PHONY: run
run: tools-run build ## install what is missing, build, press two virtual sticks and keep the console up
	./bin/stickpress trial $(if $(IMAGE),--image '$(IMAGE)') $(if $(EDITION),--edition '$(EDITION)') $(ARGS)

.PHONY: test
test: tools-test assets ## install what is missing and pass every test
	deploy/test.sh $(PKG)

.PHONY: build
build: assets ## build bin/stickpress and bin/stickpress-agent
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/stickpress ./cmd/stickpress-agent

.PHONY: build-windows
build-windows: ## build bin/stickpress-agent.exe, the agent of a Windows host
	GOOS=windows GOARCH=amd64 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/stickpress-agent

.PHONY: man
man: ## write the manual pages of the command line into build/man
	SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct 2>/dev/null || echo 0) $(GO) run -ldflags '$(LDFLAGS)' ./cmd/stickpress man build/man

.PHONY: assets
assets: $(DIST) ## build the style sheet and scripts into web/static/dist

$(DIST): $(WEB_SRC)
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20 or later (package nodejs and npm)'; exit 1; }
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

.PHONY: generate
generate: ## regenerate templ components, boot code and drawn documents
	$(GO) tool templ generate -path web
	$(GO) generate ./...

.PHONY: verify
verify: tools-test ## regenerate and fail on a difference; formatting, shell scripts, compose
	deploy/verify.sh

.PHONY: lint
lint: assets ## golangci-lint with the project's rules
	$(LINT) run ./...

.PHONY: bench
bench: tools-test ## measure the stick engine beside its peers in one run, as root; ARGS='-rounds 5 -etcher -only raw'
	$(GO) run ./cmd/e2e/bench $(ARGS)

.PHONY: bench-web
bench-web: tools-test assets ## measure the pages: bytes of the first, time of the list of jobs, paint on a slow line
	$(GO) test -run '^$$' -bench . -benchtime 20x -timeout 30m ./cmd/e2e/browser

.PHONY: bench-api
bench-api: tools-test ## measure the server beside its peers: jobs queued and finished, how soon a host has them, memory of a host, list of jobs
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cmd/e2e/load

.PHONY: screenshots
screenshots: tools-test build ## a picture of every page, light and dark, wide and narrow, in build/screenshots
	STICKPRESS_SCREENSHOTS=$(CURDIR)/build/screenshots $(GO) test -count=1 -timeout 15m -run 'TestPages|TestFirstRun|TestCapturePages|TestAPIDocs' ./cmd/e2e/browser

.PHONY: tools-run tools-test
tools-run:
	@deploy/install-tools.sh run
tools-test:
	@deploy/install-tools.sh test

.PHONY: clean
clean: ## remove what was built; leaves data/ alone
	rm -rf bin build web/static/dist/* web/node_modules
