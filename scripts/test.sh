#!/bin/sh
# Runs every test with the race detector. Prints a line a package, the output of
# what failed, and what was skipped and why. With CI set, a test that was skipped
# for want of a program that CI installs counts as a failure.
set -u

mkdir -p build
log=build/test.log

# What opsctl makes of .env files, schemas and TypeScript is compared with the real
# @next/env, varlock and tsc where npm can bring them.
if [ -z "${OPSCTL_NPM:-}" ] && OPSCTL_NPM=$(scripts/npm.sh); then
	export OPSCTL_NPM
fi

go test -race -timeout 20m -v "$@" ./... >"$log" 2>&1
status=$?
# The long suites of faults and crashes, whole; above, under the race detector, is a part of them.
go test -count=1 -timeout 20m -v -run 'TestFaultSchedules|TestEverySingleRequest|TestADeployThatIsKilled' ./internal/deploy >>"$log" 2>&1 || status=1
# The linters of what init writes are modules of their own. Go's cache of results does not see the files that they read.
for linter in dockerlint workflowlint; do
	go -C "tools/$linter" test -count=1 -v ./... >>"$log" 2>&1 || status=1
done

grep -aE '^(ok|FAIL|panic:|---? FAIL|\?)' "$log" | grep -av 'no test files'
if [ $status -ne 0 ]; then
	echo
	echo "what failed, from $log:"
	# Each failed test's own lines: from its RUN to its FAIL line is too much for -v and parallel tests, so the lines around.
	grep -anE -B 40 '^ *--- FAIL|^panic:|DATA RACE|^FAIL.*build failed|^#' "$log" | tail -n 400
fi

skipped=$(grep -aE '^ *--- SKIP' "$log" || true)
passed=$(grep -acE '^ *--- PASS' "$log" || true)
failed=$(grep -acE '^ *--- FAIL' "$log" || true)
count=0
if [ -n "$skipped" ]; then
	count=$(printf '%s\n' "$skipped" | wc -l)
	echo
	echo "skipped:"
	# The reason stands in the line before the verdict.
	grep -aE -B 1 '^ *--- SKIP' "$log" | grep -av '^--$'
	# The container tests have a stage of their own: make containers.
	if [ -n "${CI:-}" ] && grep -aE -B 1 '^ *--- SKIP' "$log" | grep -av TestContainers | grep -aqiE 'postgres|redis|node|npm|pnpm'; then
		echo "a test was skipped for want of a program that CI has to have"
		status=1
	fi
fi
echo
echo "$passed passed, $failed failed, $count skipped"
exit $status
