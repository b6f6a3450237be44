package deploy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// PlanSchema names the format of a plan file.
const PlanSchema = "opsctl.plan/v1"

// PlanFile is a plan that is kept, to be carried out later as it was read. It holds no
// value of a secret.
type PlanFile struct {
	Schema      string    `json:"schema"`
	App         string    `json:"app"`
	Platform    string    `json:"platform"`
	Environment string    `json:"environment"`
	Account     string    `json:"account"`
	By          string    `json:"by"`
	Made        time.Time `json:"made"`
	Image       string    `json:"image"`
	Changes     []Change  `json:"changes"`
	Observed    string    `json:"observed"` // hash of what ran
	Wanted      string    `json:"wanted"`   // hash of how it is rolled out: strategy, gate, times, release command
	// Values is a keyed hash of the secrets' values, which only the machine that made
	// the plan can compare: Key tells whether this is it.
	Values string `json:"values,omitempty"`
	Key    string `json:"key,omitempty"`
}

// maxPlan bounds a plan file.
const maxPlan = 4 << 20

// File is the plan as it is kept.
func (p *Prepared) File(e *Engine) PlanFile {
	f := PlanFile{
		Schema: PlanSchema, App: p.Request.App.Name, Platform: e.Platform.Name(), Environment: e.Environment, Account: p.Identity.Account, By: e.Holder,
		Made: e.now().UTC().Truncate(time.Second), Image: p.Image.Pinned(), Changes: p.Changes, Observed: p.observedHash(), Wanted: p.wantedHash(),
	}
	if f.Changes == nil {
		f.Changes = []Change{}
	}
	f.Values, f.Key = p.prints.sum(p.secrets)
	return f
}

// Exact is nil when the plan says all that would run.
func (p *Prepared) Exact() error {
	switch {
	case p.Image.Digest != "" || p.Request.Release.Source != nil || strings.Contains(p.Image.Ref, "@sha256:"):
		return nil
	case p.Request.Image == "":
		return errs.New(errs.Usage, "the image is still to be built, so the plan would not say what is deployed").WithHint("push an image, and name it with --image")
	default:
		return errs.New(errs.Usage, "%q does not exist yet, so the platform cannot say which image %s is", p.Request.App.Name, p.Request.Image).
			WithHint("name the image by its digest (NAME@sha256:...), or make the first deploy without a plan file")
	}
}

// ReadPlanFile reads a plan, and refuses what is none.
func ReadPlanFile(path string) (PlanFile, error) {
	var f PlanFile
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, errs.New(errs.NotFound, "no plan %s", path).WithHint("make one with: opsctl plan --out %s", path)
	}
	if err != nil {
		return f, errs.Wrap(err, errs.Usage, "read the plan")
	}
	defer file.Close()
	src, err := io.ReadAll(io.LimitReader(file, maxPlan))
	if err != nil {
		return f, errs.Wrap(err, errs.Usage, "read the plan %s", path)
	}
	if err := json.Unmarshal(src, &f); err != nil || f.Schema != PlanSchema || f.App == "" || f.Image == "" || f.Observed == "" || f.Wanted == "" {
		return f, errs.New(errs.Usage, "%s is not a plan of opsctl plan --out", path).WithHint("make one with: opsctl plan --out FILE")
	}
	return f, nil
}

// Matches refuses, with Conflict, a plan that is not what would be done now: something
// runs that did not when it was made, or what is wanted has changed since.
func (p *Prepared) Matches(e *Engine, f PlanFile) error {
	now := p.File(e)
	moved := func(what, was, is string) error {
		return errs.New(errs.Conflict, "%s since the plan was made: %s, now %s", what, was, is).WithHint("look at a new plan: opsctl plan --out FILE")
	}
	switch {
	case f.App != now.App || f.Platform != now.Platform || f.Environment != now.Environment:
		return errs.New(errs.Usage, "the plan is for %s on %s (%s), and not for %s on %s (%s)", f.App, f.Platform, f.Environment, now.App, now.Platform, now.Environment).
			WithHint("name its environment with --env %s", f.Environment)
	case f.Account != now.Account:
		return errs.New(errs.Auth, "the plan was made as %s, and these credentials are of %s", f.Account, now.Account).WithHint("set the token of %s", f.Account)
	case f.Image != now.Image:
		return moved("the image has changed", platform.ShortImage(f.Image), platform.ShortImage(now.Image))
	case f.Observed != now.Observed:
		return errs.New(errs.Conflict, "%q has changed since the plan was made, at %s", f.App, f.Made.Format(time.DateTime)).WithHint("look at a new plan: opsctl plan --out FILE")
	case f.Wanted != now.Wanted:
		return errs.New(errs.Conflict, "how it is to be rolled out (strategy, gate, release command, variables) has changed here since the plan was made").WithHint("look at a new plan: opsctl plan --out FILE")
	case f.Key == now.Key && f.Values != now.Values:
		return errs.New(errs.Conflict, "the value of a secret has changed here since the plan was made").WithHint("look at a new plan: opsctl plan --out FILE")
	case !sameChanges(f.Changes, now.Changes):
		return moved("what would be done has changed", count(f.Changes), count(now.Changes))
	default:
		return nil
	}
}

func sameChanges(a, b []Change) bool { return reflect.DeepEqual(a, b) }

func count(changes []Change) string {
	names := make([]string, 0, len(changes))
	for _, c := range changes {
		names = append(names, strings.TrimSpace(string(c.Action)+" "+c.Object+" "+c.Name+c.Field))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// observedHash stands for all of what runs that a plan was made from. Digests that are
// made here of values count as none: another machine's are others.
func (p *Prepared) observedHash() string {
	type secret struct{ Name, Digest string }
	seen := struct {
		There, Mixed, Postgres, Redis, Unfinished bool
		Current                                   *platform.Release
		Instances                                 []platform.Instance
		Secrets                                   []secret
	}{Postgres: p.Observed.HasPostgres, Redis: p.Observed.HasRedis, Unfinished: p.Observed.Unfinished}
	if s := p.Observed.State; s != nil {
		seen.There, seen.Mixed, seen.Current = true, s.Mixed, s.Current
		for _, i := range s.Instances { // how they feel at the moment is no part of the plan
			seen.Instances = append(seen.Instances, platform.Instance{ID: i.ID, Region: i.Region, Release: i.Release, Image: i.Image})
		}
		for _, one := range s.Secrets {
			if strings.HasPrefix(one.Digest, ownDigest) {
				one.Digest = ""
			}
			seen.Secrets = append(seen.Secrets, secret{one.Name, one.Digest})
		}
	}
	return hashOf(seen)
}

// wantedHash stands for all of what is wanted but the secrets' values.
func (p *Prepared) wantedHash() string {
	release := p.Request.Release
	release.Source = nil
	return hashOf(struct {
		Release  platform.Release
		Gate     Gate
		Command  []string
		Timeout  time.Duration
		Postgres *platform.DatabaseSpec
		Redis    *platform.CacheSpec
		Names    []string
	}{release, p.Request.Gate, p.Request.Command, p.Request.CommandTimeout, p.Request.Postgres, p.Request.Redis, slices.Sorted(maps.Keys(p.secrets))})
}

func hashOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// sum is a keyed hash of all values, and what tells the key from others.
func (f *Fingerprints) sum(values map[string]string) (hash, key string) {
	mac := hmac.New(sha256.New, f.data.Key)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		one := f.mac(name, values[name])
		mac.Write(one)
	}
	id := sha256.Sum256(f.data.Key)
	return hex.EncodeToString(mac.Sum(nil)), hex.EncodeToString(id[:4])
}

// Keep writes down the key of the values' hash, so that this machine knows a plan of its
// own again. One that is written already stays, with what another run has added to it.
func (p *Prepared) Keep(e *Engine) error {
	if p.prints.kept() {
		return nil
	}
	lock, err := lockLocal(e.StateDir, e.Holder+": plan")
	if err != nil {
		return err
	}
	defer lock.release()
	if p.prints.kept() { // somebody was quicker: the plan only says less
		return nil
	}
	return p.prints.write()
}
