#!/bin/sh
# Installs the npm packages that tests and benchmarks compare opsctl with, at known
# versions, and prints the node_modules folder that holds them. Nothing, and
# status 1, where there is no npm or it cannot bring them.
set -eu
cd "$(dirname "$0")/.."
packages="@next/env@16.4.6 varlock@1.20.0 node@22 typescript@5.9.3 @types/node@22 @dotenvx/dotenvx@2.38.2"
dir=$PWD/build/npm
stamp="$dir/$(echo "$packages" | cksum | cut -d ' ' -f 1)"
if ! [ -e "$stamp" ]; then
	command -v npm >/dev/null || exit 1
	rm -rf "$dir"
	mkdir -p "$dir"
	# shellcheck disable=SC2086 # a list of packages
	npm install --silent --no-audit --no-fund --prefix "$dir" $packages >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
	touch "$stamp"
fi
echo "$dir/node_modules"
