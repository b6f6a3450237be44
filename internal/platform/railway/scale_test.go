package railway_test

import (
	"testing"

	"github.com/opsctl/opsctl/internal/platform"
)

// A move leaves the region before, and neither it nor a change of the number
// runs the release command again.
func TestAMoveLeavesTheOldRegionAndMigratesNothing(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	want := release(server, "suite:1")
	want.Command = []string{"echo", "migrated"}
	out, err := p.RollOut(t.Context(), "shop", want, silent)
	must(t, err)
	if out.Task == nil || !out.Task.Started {
		t.Fatalf("task %+v", out.Task)
	}
	for _, to := range []platform.Scale{{Instances: 2}, {Region: "europe-west4-drams3a"}, {Instances: 3}} {
		must(t, p.Scale(t.Context(), "shop", to, silent))
	}
	state, err := p.Observe(t.Context(), "shop")
	must(t, err)
	if len(state.Instances) != 3 || state.Current.Region != "europe-west4-drams3a" || len(state.Current.Command) != 2 {
		t.Errorf("%d instances, current %+v", len(state.Instances), state.Current)
	}
	var data struct {
		Events struct {
			Edges []struct{ Node struct{ Step string } }
		} `json:"deploymentEvents"`
	}
	ask(t, server, "query($id: String!) { deploymentEvents(id: $id) { edges { node { step } } } }", map[string]any{"id": state.Current.Version}, &data)
	for _, e := range data.Events.Edges {
		if e.Node.Step == "PRE_DEPLOY_COMMAND" {
			t.Error("the release command ran again")
		}
	}
	next := release(server, "suite:2") // without a region it stays where it is
	next.Instances = 2
	_, err = p.RollOut(t.Context(), "shop", next, silent)
	must(t, err)
	if state, err = p.Observe(t.Context(), "shop"); err != nil || len(state.Instances) != 2 || state.Current.Region != "europe-west4-drams3a" {
		t.Errorf("%d instances, current %+v, %v", len(state.Instances), state.Current, err)
	}
}
