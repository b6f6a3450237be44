package compose

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// maxLedger is how many releases the ledger keeps.
const maxLedger = 100

// ledger is the content of releases.json, newest release first.
type ledger struct {
	Next     int                `json:"next"` // number of the next release
	Releases []platform.Release `json:"releases"`
}

func parseLedger(text string) (ledger, error) {
	l := ledger{Next: 1}
	if text == "" {
		return l, nil
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, errs.Wrap(err, errs.Failure, "read %s of the app's volume", releasesFile)
	}
	return l, nil
}

func (l ledger) String() string {
	if len(l.Releases) > maxLedger {
		l.Releases = l.Releases[:maxLedger]
	}
	raw, _ := json.MarshalIndent(l, "", " ") // of plain fields
	return string(raw) + "\n"
}

func (l ledger) find(version string) *platform.Release {
	if i := slices.IndexFunc(l.Releases, func(r platform.Release) bool { return r.Version == version }); i >= 0 {
		return &l.Releases[i]
	}
	return nil
}

// editLedger rewrites the list of releases.
func (p *Platform) editLedger(ctx context.Context, app string, edit func(*ledger) error) (ledger, error) {
	var l ledger
	err := p.change(ctx, app, releasesFile, func(text string) (string, error) {
		var err error
		if l, err = parseLedger(text); err != nil {
			return "", err
		}
		if err := edit(&l); err != nil {
			return "", err
		}
		return l.String(), nil
	})
	return l, err
}

// BeginRelease numbers the release, and gives its image a name to be kept by.
func (p *Platform) BeginRelease(ctx context.Context, app string, r platform.Release) (platform.Release, error) {
	r.Status, r.Created = platform.Running, p.o.Now().UTC()
	if r.Author == "" {
		r.Author, _ = p.o.Lookup("USER")
	}
	_, err := p.editLedger(ctx, app, func(l *ledger) error {
		r.Version = strconv.Itoa(l.Next)
		l.Next++
		entry := r
		entry.Command = nil
		l.Releases = append([]platform.Release{entry}, l.Releases...)
		return nil
	})
	if err != nil {
		r.Version = ""
		return r, err
	}
	return r, p.keepImage(ctx, app, r)
}

// EndRelease closes the entry. With a release that is complete, images beyond those
// to keep go.
func (p *Platform) EndRelease(ctx context.Context, app string, r platform.Release, s platform.ReleaseStatus) error {
	l, err := p.editLedger(ctx, app, func(l *ledger) error {
		entry := l.find(r.Version)
		if entry == nil {
			return errs.New(errs.NotFound, "%q has no release %s", app, r.Version)
		}
		entry.Status, entry.Message = s, r.Message
		return nil
	})
	if err == nil && s == platform.Complete {
		p.dropImages(ctx, app, l.Releases)
	}
	return err
}

// Releases reads the ledger.
func (p *Platform) Releases(ctx context.Context, app string, limit int) ([]platform.Release, error) {
	now, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	l, err := parseLedger(now.dump.Files[releasesFile])
	if err != nil {
		return nil, err
	}
	return l.Releases[:min(limit, len(l.Releases))], nil
}
