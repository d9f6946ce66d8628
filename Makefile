# banger's make targets; `make help` lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO      := scripts/go.sh
BIN     := build/bin/banger
AGENT   := internal/initramfs/bin/banger-agent
GOLANGCI_LINT := v2.15.0
GOVULNCHECK   := v1.9.0
SOAKTIME      := 30m
SOAKFLAGS     :=
FUZZTIME      := 60s
FUZZDIRS      := internal
KERNEL_NAME    = $(shell scripts/make-generic-kernel.sh --name)

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile

.PHONY: build
build: ## build build/bin/banger
	@scripts/setup.sh build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(AGENT) ./cmd/banger-agent
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X banger/internal/cli.Version=$(VERSION)' -o $(BIN) ./cmd/banger

.PHONY: demo
demo: ## set this machine up, get a kernel and an image, run a command in a microVM
	@scripts/setup.sh build run
	@$(MAKE) --no-print-directory -s build
	@scripts/demo.sh $(BIN)

.PHONY: test
test: ## set this machine up and run all tests, with real guests
	@scripts/setup.sh build run test publish golden
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/python.sh
	@scripts/test.sh ./...

.PHONY: test-container
test-container: ## build images/banger by podman or docker, and boot a guest in it
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/test-container.sh $(BIN)

.PHONY: test-python
test-python: ## of the tests, those of the Python client, and the examples of its README
	@scripts/setup.sh build run test
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/python.sh
	@BANGER_TEST_EXAMPLES=1 scripts/test.sh ./test/vm -run TestPython

.PHONY: test-api
test-api: ## have schemathesis try banger serve by its own description, for a minute
	@$(MAKE) --no-print-directory -s build
	@scripts/test-api.sh $(BIN)

.PHONY: soak
soak: ## kill, cut the power, fill disks and race for SOAKTIME, and look what is left
	@scripts/setup.sh build run soak
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/soak.sh $(BIN) $(SOAKTIME) $(SOAKFLAGS)

.PHONY: e2e-firecracker
e2e-firecracker: ## run the tests with guests on Firecracker, in a VM where there is no KVM
	@scripts/setup.sh build run test
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/e2e-firecracker.sh $(BIN)

.PHONY: lint
lint: lint-shell ## check style and run static analysis
	@scripts/setup.sh build lint
	@test -x build/tools/golangci-lint || GOBIN=$(CURDIR)/build/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	@test -z "$$(gofmt -l cmd internal sdk test | tee /dev/stderr)"
	$(GO) vet ./...
	PATH="$$(dirname "$$($(GO) env GOROOT)/bin/go"):$$PATH" build/tools/golangci-lint run ./...
	@scripts/govulncheck.sh $(GOVULNCHECK)

.PHONY: lint-shell
lint-shell: ## shellcheck all scripts
	@scripts/setup.sh lint
	shellcheck --severity=style .ci/run $$(find scripts images -name '*.sh')

.PHONY: fuzz
fuzz: ## run the fuzz targets below FUZZDIRS for FUZZTIME each
	@scripts/setup.sh build
	@scripts/fuzz.sh $(FUZZTIME) $(FUZZDIRS)

.PHONY: bench
bench: ## measure boot, creation and network against rivals, in turn
	@scripts/setup.sh build run test bench
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/bench.sh $(BIN)

.PHONY: kernel
kernel: ## build the generic kernel into build/manual
	@scripts/setup.sh kernel
	@scripts/make-generic-kernel.sh

.PHONY: publish-kernel
publish-kernel: kernel build ## build the generic kernel, publish it, put it in the catalog
	@scripts/setup.sh publish
	rm -rf build/publish/kernels
	BANGER_KERNELS_DIR=build/publish/kernels $(BIN) kernel import $(KERNEL_NAME) --from build/manual/$(KERNEL_NAME) --distro generic
	BANGER_KERNELS_DIR=build/publish/kernels scripts/publish-kernel.sh $(KERNEL_NAME)

.PHONY: golden
golden: build ## build the golden image, publish it, put it in the catalog
	@scripts/setup.sh publish golden
	$(BIN) kernel show generic-6.12 >/dev/null || $(BIN) kernel pull generic-6.12
	scripts/publish-golden-image.sh $(GOLDENFLAGS)

.PHONY: test-golden
test-golden: ## of the tests, that of the golden image: from mmdebstrap to docker run in a guest
	@scripts/setup.sh build run test publish golden
	@$(MAKE) --no-print-directory -s build
	@scripts/fixtures.sh $(BIN)
	@scripts/test-golden.sh

.PHONY: test-kernel-reproducible
test-kernel-reproducible: ## build the generic kernel twice, in two places, and compare
	@scripts/setup.sh kernel
	@scripts/test-reproducible-kernel.sh

.PHONY: clean
clean: ## delete what was built; your kernels, images and VMs stay
	rm -rf build $(AGENT)
