package railway

import (
	"context"
	"errors"
)

// errUnchanged is what a change of the record returns when there is nothing to change.
var errUnchanged = errors.New("unchanged")

// write changes the record of an app: it is read anew, changed and written, by
// one at a time within the process.
func (p *Platform) write(ctx context.Context, app string, change func(*view) error) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	v, err := p.lookAgain(ctx, app)
	if err != nil {
		return err
	}
	if err := change(v); err != nil {
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	return p.set(ctx, v, nil)
}
