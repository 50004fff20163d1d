# Everything that a person or CI runs on this tree. `make help` lists it.
SHELL := /bin/bash
export CGO_ENABLED := 0
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X pigsty/internal/cli.version=$(VERSION)
BIN     := bin/pigsty

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/pigsty for this machine
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/pigsty

.PHONY: dist
dist: ## Build static binaries for amd64 and arm64 under dist/
	@for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/pigsty-linux-$$arch ./cmd/pigsty || exit 1; \
	done; ls -l dist

.PHONY: demo
demo: build ## Boot four sandbox hosts, deploy PostgreSQL on them, prove it (root; Debian 12 or 13)
	@test/demo.sh up

.PHONY: demo-down
demo-down: ## Remove the demo's sandbox hosts
	@test/demo.sh down

.PHONY: check
check: ## Unit, golden and CLI tests, and lint: the inner loop
	@test -z "$$(gofmt -l cmd internal test)" || { gofmt -l cmd internal test; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -short ./...

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the binary uses
	@out=$$($(GO) tool govulncheck ./cmd/pigsty 2>&1); s=$$?; echo "$$out"; case "$$s $$out" in \
	  0*) ;; \
	  *'fetching vulnerabilities: '*) echo 'not run: govulncheck could not reach its database' ;; \
	  *) exit $$s ;; esac

.PHONY: test
test: check vuln build ## Everything: check, vulnerabilities, end to end on sandbox hosts
	$(MAKE) fuzz FUZZTIME=300x
	@# The scenarios come first: they install what internal/sandbox needs.
	@set -o pipefail; for t in '85m -parallel 32 -v ./test/e2e' '30m -v ./internal/sandbox'; do \
	  echo "$(GO) test -count=1 -timeout $$t"; $(GO) test -count=1 -timeout $$t || exit 1; done | tee bin/test.log
	@awk '/--- SKIP: / { print "not run: " $$3 ", for the reason given above" }' bin/test.log
	@test $$(id -u) -eq 0 || echo 'not run: test/e2e, every scenario, and the hosts of internal/sandbox: they need root'

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## Fuzz every parser for a short while
	@for t in $$(grep -rlE '^func Fuzz' --include=*_test.go internal | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -rhoE '^func Fuzz[A-Za-z0-9_]+' $$t/*_test.go | sed 's/func //'); do \
	    $(GO) test ./$$t -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || exit 1; done; done

.PHONY: bench
bench: build ## Measure against plain shell on sandbox hosts (docs/performance.md)
	PIGSTY_BENCH=1 $(GO) test -count=1 -timeout 60m -v -parallel 1 -run "^TestBench" ./test/e2e

.PHONY: golden
golden: ## Rewrite the golden files from what the code does now
	$(GO) test $$(grep -rlE --include=*_test.go 'flag\.Bool\("update"|moduletest\.(Golden|Update)' internal | xargs -n1 dirname | sort -u | sed 's,^,./,') -update

.PHONY: reference
reference: build ## Rewrite docs/reference from the catalogue of parameters
	@for m in $$($(BIN) doc --modules); do $(BIN) doc --module $$m > docs/reference/$${m,,}.md || exit 1; done
	@$(BIN) doc --index > docs/reference/README.md
	@$(BIN) doc --checks > docs/checks.md

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
