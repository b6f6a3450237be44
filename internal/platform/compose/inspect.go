package compose

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// container is what `docker inspect` says of one, as far as it matters here.
type container struct {
	ID           string `json:"Id"`
	Name         string
	Created      time.Time
	Image        string // id
	RestartCount int
	State        struct {
		Status     string // created, running, restarting, paused, exited, dead
		Running    bool
		Restarting bool
		OOMKilled  bool
		ExitCode   int
		Error      string
		StartedAt  time.Time
		Health     *containerHealth
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string } `json:"Ports"`
	}
}

type containerHealth struct {
	Status string // starting, healthy, unhealthy
	Log    []struct {
		ExitCode int
		Output   string
	}
}

// list finds the containers with a label, oldest first.
func (p *Platform) list(ctx context.Context, label, value string) ([]container, error) {
	out, err := p.engine.out(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+label+"="+value)
	if err != nil {
		return nil, explain(err, "list the containers of %q", value)
	}
	ids := lines(out)
	if len(ids) == 0 {
		return nil, nil
	}
	return p.inspect(ctx, ids...)
}

// inspect looks at containers. One that is gone is left out.
func (p *Platform) inspect(ctx context.Context, names ...string) ([]container, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := p.engine.out(ctx, append([]string{"inspect", "--type", "container"}, names...)...)
	if err != nil && !gone(err) {
		return nil, explain(err, "look at the containers %v", names)
	}
	var found []container
	if len(bytes.TrimSpace(out)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, errs.Wrap(err, errs.Failure, "read what the engine says of its containers")
	}
	slices.SortFunc(found, func(a, b container) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
	return found, nil
}

// find looks for one container; nil when there is none.
func (p *Platform) find(ctx context.Context, name string) (*container, error) {
	found, err := p.inspect(ctx, name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// remove destroys containers; those that are gone need nothing. Anonymous volumes
// go with them, named ones stay.
func (p *Platform) remove(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	err := p.engine.quiet(ctx, append([]string{"rm", "--force", "--volumes"}, names...)...)
	if gone(err) || saidAny(err, "is already in progress") {
		return nil
	}
	return explain(err, "remove %v", names)
}
