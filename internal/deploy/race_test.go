//go:build race

package deploy_test

// underRace: the race detector makes everything ten times as slow, so the long suites
// take a part; scripts/test.sh runs the whole of them without it.
const underRace = true
