package fly

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
)

// cursorHeader is where the Machines API says that a list goes on.
const cursorHeader = "fly-next-cursor"

// listed is a machine with what fly-go's type lacks.
type listed struct {
	fly.Machine
	Cordoned bool `json:"cordoned"` // it gets no visitors
}

// fleet is all machines of an app: those that run it, and one-off tasks.
type fleet struct {
	all      []*fly.Machine
	cordoned map[string]bool
	rank     func(*fly.Machine) int // which machines a roll-out is to keep first, the lowest; nil for any
}

// fleet lists the machines, as they were some seconds ago at most.
func (p *Platform) fleet(ctx context.Context, app string) (fleet, error) {
	return kept(p.cache, kindMachines, app, func() (fleet, error) {
		out := fleet{cordoned: map[string]bool{}}
		err := p.pages(ctx, "/apps/"+url.PathEscape(app)+"/machines", func(page []listed) {
			for i := range page {
				out.all = append(out.all, &page[i].Machine)
				out.cordoned[page[i].ID] = page[i].Cordoned
			}
		})
		return out, explain(err, "list the machines of %q", app)
	})
}

// pages reads a list of the Machines API to its end.
func (p *Platform) pages(ctx context.Context, path string, each func([]listed)) error {
	for cursor := ""; ; {
		target := p.machines + "/v1" + path
		if cursor != "" {
			target += "?cursor=" + url.QueryEscape(cursor)
		}
		var page []listed
		header, err := p.exchange(ctx, http.MethodGet, target, p.tokens.FlapsHeader(), nil, &page, nil)
		if err != nil {
			return err
		}
		each(page)
		next := header.Get(cursorHeader)
		if next == "" || next == cursor {
			return nil
		}
		cursor = next
	}
}

// appMachines lists the machines that run the app itself, oldest first.
func (p *Platform) appMachines(ctx context.Context, app string) ([]*fly.Machine, error) {
	f, err := p.fleet(ctx, app)
	return f.app(), err
}

// app are the machines that run the app itself, oldest first.
func (f fleet) app() []*fly.Machine {
	var out []*fly.Machine
	for _, m := range f.all {
		if m.GetConfig() != nil && m.IsActive() && m.HasProcessGroup(fly.MachineProcessGroupApp) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *fly.Machine) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// reservedGroup begins the names of the process groups of one-off machines: those of
// release commands, of consoles, and of tests.
const reservedGroup = "fly_app_"

// managed refuses an app whose machines are all of process groups that opsctl does not
// manage: it would look as if nothing ran. Beside machines of its own they are left alone.
func (f fleet) managed(app string) error {
	if len(f.app()) > 0 {
		return nil
	}
	var groups []string
	for _, m := range f.all {
		if m.GetConfig() == nil || !m.IsActive() || m.IsReleaseCommandMachine() {
			continue
		}
		group := m.ProcessGroup()
		if group != "" && !strings.HasPrefix(group, reservedGroup) && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	slices.Sort(groups)
	word := "process group"
	if len(groups) > 1 {
		word = "process groups"
	}
	return errs.New(errs.Usage, "the app %q has machines of the %s %s, which opsctl does not manage", app, word, strings.Join(groups, ", ")).
		WithHint("opsctl runs an app as the process group %q: give it another `app` in opsctl.yaml,\nor, once it may be down, destroy these machines: fly machine list -a %s", fly.MachineProcessGroupApp, app)
}

// appSecrets lists the secrets, as they were some seconds ago at most.
func (p *Platform) appSecrets(ctx context.Context, app string) ([]fly.AppSecret, error) {
	return kept(p.cache, kindSecrets, app, func() ([]fly.AppSecret, error) {
		list, err := p.flaps.ListAppSecrets(ctx, app, nil, false)
		return list, explain(err, "list the secrets of %q", app)
	})
}
