# Two commands set everything up by themselves:
#   make demo   the main job, on this machine, without an account
#   make test   every test
.DEFAULT_GOAL := help
.PHONY: help demo deps build test check lint fmt bench golden fuzz clean containers bench-containers

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
MAX_BINARY := 46137344 # 44 MiB: a limit of our own, raised when a part that is worth it needs more (33 before Railway, Render, compose and the emulators of all)
FUZZTIME ?= 10s
FUZZDIRS ?=
BENCH ?= .

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: deps build ## Run the whole path in a temporary directory
	bin/opsctl demo

deps: ## Install what is missing: PostgreSQL, Redis
	@scripts/deps.sh

build: ## Build bin/opsctl
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/opsctl ./cmd/opsctl

test: deps ## Run every test, with the race detector
	@scripts/test.sh

check: build lint ## Everything that CI checks beside the tests
	@test "$$(wc -c < bin/opsctl)" -lt $(MAX_BINARY) || { echo "bin/opsctl is larger than $(MAX_BINARY) bytes"; exit 1; }
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go mod tidy -diff
	GOOS=darwin go vet ./...
	GOOS=windows go build ./... # the tests are for Unix

lint: bin/golangci-lint ## Run the linters
	bin/golangci-lint run

bin/golangci-lint: tools/go.mod
	@mkdir -p bin
	go -C tools build -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

fmt: ## Format the code
	gofmt -w $$(git ls-files '*.go')

bench: build ## Run the benchmarks, or those of BENCH, beside the npm tools where npm is there
	OPSCTL_NPM=$$(scripts/npm.sh) go test -run '^$$' -bench '$(BENCH)' -benchtime 1s ./...

containers: ## Build the examples' images and run them, with Docker
	@scripts/containers.sh

bench-containers: ## Measure the builds of an image: clean, unchanged, a line changed
	@scripts/containers.sh '^TestContainers$$/^pnpm$$/^build$$'

golden: ## Write the golden files anew, to be read with git diff
	go test $$(grep -rl '"update"' --include='*_test.go' internal cmd | xargs -n1 dirname | sort -u | sed 's|^|./|') -update
	UPDATE_SCRIPTS=1 go test ./cmd/opsctl -run TestScripts

fuzz: ## Run each fuzz target, or those of FUZZDIRS, for FUZZTIME
	@mkdir -p build
	@scripts/fuzz.sh $(FUZZTIME) $(FUZZDIRS)

clean: ## Remove what was built
	rm -rf bin build dist
