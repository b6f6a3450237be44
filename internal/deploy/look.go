package deploy

import (
	"context"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// look observes an app. Where the platform has no digest of a secret, one is made here
// of the value that it gives back, so that everything else compares digests alone. A
// secret without either (sealed) keeps none, and is known to nobody. Without
// fingerprints there is nothing to make one with.
func (e *Engine) look(ctx context.Context, app string, prints *Fingerprints) (*platform.State, error) {
	state, err := e.Platform.Observe(ctx, app)
	if err != nil || prints == nil || !slices.ContainsFunc(state.Secrets, func(s platform.Secret) bool { return s.Digest == "" }) {
		return state, err
	}
	reader, ok := e.Platform.(platform.Variables)
	if !ok {
		return state, nil
	}
	set, err := reader.ReadVariables(ctx, app)
	if err != nil {
		return nil, err
	}
	for _, v := range set.Values {
		i := slices.IndexFunc(state.Secrets, func(s platform.Secret) bool { return s.Name == v.Name })
		if i >= 0 && !v.Plain && state.Secrets[i].Digest == "" {
			state.Secrets[i].Digest = prints.digest(v.Name, v.Value)
		}
	}
	return state, nil
}

// asFound refuses to go on when secrets were changed since a plan was made.
func asFound(before, after []platform.Secret) error {
	if names := changedDigests(before, after); len(names) > 0 {
		return errs.New(errs.Conflict, "somebody else changed %s since it was compared", strings.Join(names, ", ")).
			WithHint("run the same command again")
	}
	return nil
}

// changedDigests are the names that are new, gone, or have another digest.
func changedDigests(before, after []platform.Secret) []string {
	digests := map[string]string{}
	for _, s := range before {
		digests[s.Name] = s.Digest
	}
	var names []string
	for _, s := range after {
		if was, had := digests[s.Name]; !had || was != s.Digest {
			names = append(names, s.Name)
		}
		delete(digests, s.Name)
	}
	for name := range digests {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sameInstances tells whether the same instances run the same releases: somebody may
// have scaled, or changed one by other means.
func sameInstances(a, b *platform.State) bool {
	if a == nil || b == nil {
		return true
	}
	list := func(s *platform.State) []string {
		var out []string
		for _, i := range s.Instances {
			out = append(out, i.ID+" "+i.Release+" "+i.Image)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(list(a), list(b))
}
