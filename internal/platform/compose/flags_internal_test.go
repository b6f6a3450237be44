package compose

import (
	"slices"
	"testing"
)

// The container of a release command has no health check, whatever the service has.
func TestWithoutHealth(t *testing.T) {
	have := []string{"--init", "--health-cmd", "wget -q localhost", "--health-interval", "5s", "--user", "app", "--no-healthcheck"}
	if got := withoutHealth(have); !slices.Equal(got, []string{"--init", "--user", "app"}) {
		t.Errorf("%q", got)
	}
}
