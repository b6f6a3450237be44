#!/bin/sh
# Runs every fuzz target of the project, or of some folders, for a while each:
#   fuzz.sh TIME [FOLDER...]
set -eu
time=${1:-10s}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- internal cmd
grep -rlE '^func Fuzz' --include='*_test.go' "$@" | sort | while read -r file; do
	dir=$(dirname "$file")
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/func //' | while read -r target; do
		echo "$dir $target"
		go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >build/fuzz.log 2>&1 || {
			cat build/fuzz.log
			exit 1
		}
		tail -n 3 build/fuzz.log | head -n 1
	done
done
