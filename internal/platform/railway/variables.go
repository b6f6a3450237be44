package railway

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// upsertText sets variables of a service. skipDeploys is never left out: each
// call would begin a deployment of its own.
const upsertText = "mutation($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }"

func (v *view) upsertInput(set map[string]string, replace bool) map[string]any {
	in := map[string]any{
		"projectId": v.project.ID, "environmentId": v.environment.ID, "serviceId": v.service, "variables": set, "skipDeploys": true,
	}
	if replace {
		in["replace"] = true
	}
	return in
}

// set sets variables, and writes the record with them. Conflict when this
// process holds the lock no more.
func (p *Platform) set(ctx context.Context, v *view, set map[string]string) error {
	if err := p.stillMine(v); err != nil {
		return err
	}
	set = maps.Clone(set)
	if set == nil {
		set = map[string]string{}
	}
	set[varState] = v.record.text()
	// The same values again are the same variables, so a lost answer is no harm.
	return p.explain(p.mutate(ctx, upsertText, map[string]any{"input": v.upsertInput(set, false)}, nil, true), "set the variables of %q", v.app)
}

// StageSecrets sets and unsets variables without a deployment.
func (p *Platform) StageSecrets(ctx context.Context, app string, changes map[string]*string) error {
	if len(changes) == 0 {
		return nil
	}
	set := map[string]string{}
	var unset []string
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := stageable(name, changes[name]); err != nil {
			return err
		}
		if changes[name] == nil {
			unset = append(unset, name)
		} else {
			set[name] = *changes[name]
		}
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	staged := append(slices.Clone(v.record.Staged), slices.Collect(maps.Keys(set))...)
	slices.Sort(staged)
	v.record.Staged = slices.DeleteFunc(slices.Compact(staged), func(name string) bool { return slices.Contains(unset, name) })
	if err := p.set(ctx, v, set); err != nil {
		return err
	}
	return p.unset(ctx, app, unset)
}

func stageable(name string, value *string) error {
	if name == varState || name == varLock || name == varRelease {
		return errs.New(errs.Usage, "%s is a variable of opsctl's own", name).WithHint("leave it out")
	}
	if value != nil && strings.Contains(*value, "${{") {
		return errs.New(errs.Usage, "the value of %s contains ${{, which Railway would read as a reference to another variable", name).
			WithHint("Railway has no way to escape it: give the variable another value, for instance encoded")
	}
	return nil
}

// unset takes variables away. Railway's deletion of one variable begins a
// deployment, so it is done with a staged change of the environment that is
// committed without one. Where somebody else has staged something, which would
// be committed too, the whole set is replaced by what was just read.
func (p *Platform) unset(ctx context.Context, app string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	if names = v.existing(names); len(names) == 0 {
		return nil
	}
	free, err := p.nothingStaged(ctx, v, names)
	if err != nil {
		return err
	}
	if free {
		if err := p.unsetByPatch(ctx, v, names); err != nil {
			return err
		}
		if v, err = p.lookAgain(ctx, app); err != nil {
			return err
		}
		if names = v.existing(names); len(names) == 0 {
			return nil
		}
	}
	return p.unsetByReplace(ctx, v, names)
}

// existing are those of the names that are set.
func (v *view) existing(names []string) []string {
	var out []string
	for _, name := range names {
		if slices.ContainsFunc(v.nodes, func(n variableNode) bool { return n.Name == name }) {
			out = append(out, name)
		}
	}
	return out
}

// nothingStaged tells that a commit of the staged changes would commit nothing
// of somebody else's. What a killed run of ours staged does not count.
func (p *Platform) nothingStaged(ctx context.Context, v *view, names []string) (bool, error) {
	patch, err := p.staged(ctx, v.place)
	return err == nil && onlyRemoves(patch, v.service, names), err
}

// staged are the changes of the environment that wait for a commit.
func (p *Platform) staged(ctx context.Context, l *place) (json.RawMessage, error) {
	var data struct {
		Staged struct {
			Patch json.RawMessage `json:"patch"`
		} `json:"environmentStagedChanges"`
	}
	const text = "query($environment: String!) { environmentStagedChanges(environmentId: $environment) { id status patch } }"
	if err := p.query(ctx, text, map[string]any{"environment": l.environment.ID}, &data); err != nil && !missing(err) {
		return nil, p.explain(err, "look at the staged changes of the environment %q", l.environment.Name)
	}
	return data.Staged.Patch, nil
}

// onlyRemoves tells that a patch is empty, or takes away some of these variables
// of the service and nothing else.
func onlyRemoves(patch json.RawMessage, service string, names []string) bool {
	var top map[string]json.RawMessage
	if json.Unmarshal(patch, &top) != nil {
		return string(patch) == "" || string(patch) == "null"
	}
	for key, part := range top {
		if empty(part) {
			continue
		}
		var services map[string]map[string]json.RawMessage
		if key != "services" || json.Unmarshal(part, &services) != nil {
			return false
		}
		for id, fields := range services {
			for field, value := range fields {
				if !empty(value) && (id != service || field != "variables" || !nulls(value, names)) {
					return false
				}
			}
		}
	}
	return true
}

func empty(part json.RawMessage) bool {
	text := string(part)
	return text == "null" || text == "{}" || text == "[]"
}

// nulls tells that variables are all taken away, and all of these names.
func nulls(part json.RawMessage, names []string) bool {
	var variables map[string]json.RawMessage
	if json.Unmarshal(part, &variables) != nil {
		return false
	}
	for name, value := range variables {
		if string(value) != "null" || !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

func (p *Platform) unsetByPatch(ctx context.Context, v *view, names []string) error {
	gone := map[string]any{}
	for _, name := range names {
		gone[name] = nil
	}
	// The fields of a mutation are carried out one after the other.
	const text = `mutation($environment: String!, $patch: EnvironmentConfig!, $message: String) {
		environmentStageChanges(environmentId: $environment, input: $patch, merge: true) { id }
		committed: environmentPatchCommitStaged(environmentId: $environment, commitMessage: $message, skipDeploys: true)
	}`
	patch := map[string]any{"services": map[string]any{v.service: map[string]any{"variables": gone}}}
	err := p.commit(ctx, text, map[string]any{"environment": v.environment.ID, "patch": patch, "message": "opsctl: unset variables"})
	return p.explain(err, "unset variables of %q", v.app)
}

func (p *Platform) unsetByReplace(ctx context.Context, v *view, names []string) error {
	if i := slices.IndexFunc(v.nodes, func(n variableNode) bool { return n.Sealed }); i >= 0 {
		return errs.New(errs.Conflict, "%s of %q cannot be unset now: the environment has staged changes of somebody else, and %s is sealed", names[0], v.app, v.nodes[i].Name).
			WithHint("apply or discard the staged changes in Railway's dashboard, then run the same command again")
	}
	keep := map[string]string{}
	for _, n := range v.nodes {
		if value := v.raw[n.Name]; value != nil && !slices.Contains(names, n.Name) {
			keep[n.Name] = *value
		}
	}
	if err := p.mutate(ctx, upsertText, map[string]any{"input": v.upsertInput(keep, true)}, nil, true); err != nil {
		return p.explain(err, "unset variables of %q", v.app)
	}
	now, err := p.lookAgain(ctx, v.app)
	if err != nil {
		return err
	}
	for name := range keep {
		if len(now.existing([]string{name})) == 0 {
			return errs.New(errs.Conflict, "%s of %q is gone: somebody else changed the variables at the same time", name, v.app).
				WithHint("set it again: opsctl env push")
		}
	}
	return nil
}

// ReadVariables gives the values that Railway keeps, with references to other
// variables resolved.
func (p *Platform) ReadVariables(ctx context.Context, app string) (*platform.VariableSet, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	set := &platform.VariableSet{Source: "environment " + v.environment.Name + " of the project " + v.project.Name}
	for _, n := range v.nodes {
		value := v.rendered[n.Name]
		switch {
		case hidden(n.Name):
		case n.Sealed || value == nil:
			set.Unread = append(set.Unread, platform.Unread{Name: n.Name, Reason: "it is sealed, which nobody can read back"})
		default:
			set.Values = append(set.Values, platform.Variable{Name: n.Name, Value: *value, Plain: v.plain(n.Name)})
		}
	}
	return set, nil
}
