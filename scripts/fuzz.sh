#!/bin/sh
# Runs every fuzz target of the project for a while: fuzz.sh 10s
set -eu
time=${1:-10s}
grep -rlE '^func Fuzz' --include='*_test.go' internal cmd | while read -r file; do
	dir=$(dirname "$file")
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/func //' | while read -r target; do
		echo "$dir $target"
		go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
	done
done
