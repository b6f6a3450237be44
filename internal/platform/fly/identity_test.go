package fly_test

import (
	"testing"

	"github.com/opsctl/opsctl/internal/platform/fly"
)

// noMacaroon has the form of one, which fly-go insists on. It was made for this test
// with a key of digits, and is good for nothing.
const noMacaroon = "FlyV1 fm2_lJPEA2tpZMQQeqx1QxkLEc4zpvHVzV06nMK1aHR0cHM6Ly9hcGkuZmx5LmlvL3YxkMQg2B78xB32PUaj5z693wSKJ0669EUqlEmEyY4qo+lC3W8="

// Who has a macaroon is told what it is limited to.
func TestWhatAMacaroonMayDo(t *testing.T) {
	server := start(t, nil)
	env := server.Env()
	env["FLY_API_TOKEN"] = noMacaroon
	p, err := fly.New(t.Context(), fly.Options{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.WhoAmI(t.Context())
	if err != nil || id.Token != "organization" || id.Scope != "the organization personal" {
		t.Errorf("%+v, %v", id, err)
	}
	personal, err := client(t, server).WhoAmI(t.Context())
	if err != nil || personal.Token != "personal" || personal.Scope == "" {
		t.Errorf("%+v, %v", personal, err)
	}
}
