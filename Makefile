# `make check` is what is run on every change, all of it: what passes here
# passes there. The programs that some tests need are listed in .ci/run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# What git says of the source, or a tag of your choice; and what the program and
# its packages are called for it. No clock is right that is before the date.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
RELEASE = $(firstword $(shell packaging/version '$(VERSION)' "$$(git rev-list --count HEAD 2>/dev/null || echo 0)"))
DATE ?= $(shell git log -1 --format=%cs 2>/dev/null || date -u +%F)

# Where `make build` puts the program, and with which build tags.
PROGRAM ?= cfddns
TAGS ?= nethttpomithttp2

# For which systems `make packages` makes packages, and where.
TARGETS ?= linux/amd64 linux/arm64 linux/armv7 linux/mipsle linux/riscv64 freebsd/amd64 darwin/amd64 darwin/arm64
DIST ?= dist
# The clock of all that is packaged: that of the commit.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date -u +%s)

# How long each fuzz target is tried by `make fuzz`.
FUZZTIME ?= 2s

.PHONY: check build packages test bare race bench bench-beside lint format fuzz unit

check: format lint test bare race fuzz unit

# A small binary that needs nothing from the system it runs on. cfddns speaks
# HTTP/1.1 everywhere; leaving HTTP/2 out saves half a megabyte of program, and
# more of memory. Not inlining saves 1.3 MB, and costs nothing that can be
# measured in a program that waits for the network. Neither the place where it
# is built nor the state of the clone is in it.
build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags=$(TAGS) -gcflags=all=-l -ldflags='-s -w -X main.release=$(RELEASE) -X main.releasedOn=$(DATE)' -o $(PROGRAM) ./cmd/cfddns

# Packages, tarballs, checksums and bills of materials for TARGETS. Half a minute
# for each target whose standard library was never compiled with these flags.
packages:
	@VERSION='$(VERSION)' DATE='$(DATE)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' DIST='$(DIST)' TARGETS='$(TARGETS)' packaging/build

test:
	go test ./...

# All tests where nothing but Go, Git and a shell is installed, as root and as
# nobody: a program that a test starts and does not declare fails there.
bare:
	.ci/bare

# The laboratory runs a program that it builds: there is nothing to see in it.
race:
	go test -race $$(go list ./... | grep -v /lab$$)

# What every part costs, then what the whole does: every budget, how it grows
# with the names, and what Debian's ddclient and inadyn do beside it. Half an hour.
bench:
	go test -run='^$$' -bench=. -benchmem $$(go list ./... | grep -v /cmd/)
	go test -run='^$$' -bench=. -benchmem -timeout=2h ./cmd/...

# The comparison alone, written into BENCHMARKS.md and its plot. As root.
BESIDE ?= 20m
bench-beside:
	BESIDE=$(BESIDE) REPORT=$(CURDIR) go test -run='^$$' -bench=Beside -timeout=3h ./cmd/cfddns/lab

lint:
	go vet ./...
	golangci-lint run

# Fails if a file is not formatted, and names it.
format:
	@echo gofmt -l .
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi

# Every fuzz target of every package, one after the other. Only a failing input
# is a failure: a slow target that is stopped in the middle of an input sometimes
# says "context deadline exceeded" instead (https://go.dev/issue/75804), and is run again.
fuzz:
	@go test -list='^Fuzz' ./... \
	| awk '/^Fuzz/ { target[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, target[i]; n = 0 }' \
	| while read -r package target; do \
		echo "fuzz $$package $$target"; \
		for try in 1 2 3; do \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$package" </dev/null >fuzz.out 2>&1 && break; \
			if [ $$try = 3 ] || ! grep -q 'context deadline exceeded' fuzz.out || grep -q 'Failing input' fuzz.out; then cat fuzz.out; exit 1; fi; \
		done; \
	done; rm -f fuzz.out

# How exposed a unit of ours may be, in tenths, as systemd-analyze(1) counts it.
EXPOSURE ?= 14

# The unit files must be free of anything that systemd does not know. The
# program it starts has to exist for that, so it is given an empty one.
unit:
	@tree=$$(mktemp -d); trap 'rm -rf "$$tree"' EXIT; \
	mkdir -p "$$tree/usr/bin" "$$tree/etc/systemd/system"; \
	install -m 755 /dev/null "$$tree/usr/bin/cfddns"; \
	install -m 755 /dev/null "$$tree/usr/bin/kill"; \
	for target in network network-online sysinit timers; do printf '[Unit]\n' >"$$tree/etc/systemd/system/$$target.target"; done; \
	units=(systemd/*.service systemd/*.timer systemd/hooks/*.service systemd/hooks/*.path); \
	install -m 644 "$${units[@]}" "$$tree/etc/systemd/system/"; \
	for unit in "$${units[@]}"; do \
		echo "systemd-analyze verify $$unit"; \
		systemd-analyze verify --recursive-errors=no --root="$$tree" "/etc/systemd/system/$${unit##*/}"; \
	done; \
	for unit in systemd/*.service; do \
		echo "systemd-analyze security $$unit"; \
		systemd-analyze security --offline=true --no-pager --threshold=$(EXPOSURE) "$$unit" | tail -1; \
	done
