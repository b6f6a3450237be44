//go:build !race

package deploy_test

const underRace = false
