#!/bin/bash
# Builds the images of the examples and runs them as a platform does: the tests in
# examples/containers_test.go. Brings what they need and removes what it started.
#   containers.sh [PATTERN]   PATTERN is of go test -run
# And deploys to the engine: the tests of the compose adapter.
#
# Docker: the engine that answers, or else one of its own from docker-up.sh of the
# reference folder. Base images: the official ones, or else that folder's stand-ins.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${OPSCTL_REFERENCE:-../shared}/tools
root=${DOCKER_ROOT:-/var/lib/opsctl-docker} # where docker-up.sh has its engine
images="node:20-alpine postgres:16-alpine redis:7-alpine"
id=opsctl-test-$$
started=

skip() { echo "containers: skipped: $*" >&2; exit 0; }
fail() { echo "containers: $*" >&2; exit 1; }

answers() { "$1" info >/dev/null 2>&1; }

# A docker program without the buildx plugin may reach the engine and still not build.
builds() {
	local image
	image=$(printf 'FROM scratch\nLABEL opsctl.test=%s\n' "$id" | DOCKER_BUILDKIT=1 "$1" build --quiet - 2>/dev/null) &&
		"$1" rmi --force "$image" >/dev/null
}

running() { [ -s "$root/dockerd.pid" ] && kill -0 "$(cat "$root/dockerd.pid")" 2>/dev/null; }

cleanup() {
	if [ -n "${DOCKER_BIN:-}" ] && answers "$DOCKER_BIN"; then
		# What a killed test left.
		"$DOCKER_BIN" ps --all --quiet --filter "label=opsctl.test=$id" | xargs -r "$DOCKER_BIN" rm --force --volumes
		"$DOCKER_BIN" network ls --quiet --filter "label=opsctl.test=$id" | xargs -r "$DOCKER_BIN" network rm
		"$DOCKER_BIN" images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$id*" | xargs -r "$DOCKER_BIN" rmi --force
	fi >/dev/null 2>&1 || true
	if [ -n "$started" ] && running; then
		kill "$(cat "$root/dockerd.pid")" || true
		for _ in $(seq 100); do running || break; sleep 0.1; done
	fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

find_docker() {
	local bin
	for bin in "${DOCKER_BIN:-docker}" /usr/bin/docker; do
		if answers "$bin" && builds "$bin"; then
			export DOCKER_BIN=$bin
			return
		fi
	done
	! answers "${DOCKER_BIN:-docker}" || fail "the docker program cannot build with BuildKit: install its buildx plugin, or set DOCKER_BIN to another one"
	[ -x "$tools/docker-up.sh" ] || skip "no Docker engine answers, and $tools has none to start. Start Docker, or set DOCKER_HOST"
	[ "$(id -u)" -eq 0 ] || skip "no Docker engine answers, and starting one needs root"
	command -v apt-get >/dev/null || skip "no Docker engine answers, and installing one needs apt-get"
	running || started=1
	local lines
	lines=$("$tools/docker-up.sh") || fail "no Docker engine: $tools/docker-up.sh failed"
	eval "$lines"
	builds "$DOCKER_BIN" || fail "$DOCKER_BIN cannot build with BuildKit"
}

# The official images where they are here or can be pulled; the stand-ins never
# replace one.
base_images() {
	local image label official='' missing=''
	for image in $images; do
		label=$("$DOCKER_BIN" image inspect --format '{{with .Config.Labels}}{{index . "opsctl.standin"}}{{end}}' "$image" 2>/dev/null) || label=none
		if [ -z "$label" ]; then
			official="$official $image"
		elif [ -z "$missing" ] && timeout 60 "$DOCKER_BIN" pull --quiet "$image" >/dev/null 2>&1; then
			official="$official $image"
		else
			missing="$missing $image" # and where one cannot be pulled, the next is not tried
		fi
	done
	echo "containers: official images:${official:- none}; stand-ins:${missing:- none}" >&2
	[ -n "$missing" ] || return 0
	[ -z "$official" ] || fail "cannot pull$missing, and the stand-ins would replace$official"
	[ -x "$tools/base-images.sh" ] || skip "cannot pull$missing, and $tools has no stand-ins"
	command -v apt-get >/dev/null || skip "cannot pull$missing, and making stand-ins needs apt-get"
	ENGINE=$DOCKER_BIN "$tools/base-images.sh" >&2
}

find_docker
base_images
export OPSCTL_CONTAINERS=1 OPSCTL_CONTAINERS_ID=$id
go test ./examples ./internal/platform/compose -p 1 -count=1 -run "${1:-Containers}" -v -timeout 15m
