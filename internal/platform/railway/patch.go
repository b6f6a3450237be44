package railway

import (
	"context"

	"github.com/opsctl/opsctl/internal/errs"
)

// patchCommitted is the status of a patch that is applied; before, it is APPLYING.
const patchCommitted = "COMMITTED"

// commit commits a change to an environment and waits until it is applied. text
// is the document, whose field committed answers with the id of the patch.
func (p *Platform) commit(ctx context.Context, text string, vars map[string]any) error {
	var data struct {
		ID string `json:"committed"`
	}
	if err := p.mutate(ctx, text, vars, &data, true); err != nil {
		return err
	}
	return p.awaitPatch(ctx, data.ID)
}

// awaitPatch waits until a committed patch is applied. One that is not known, or
// that the token may not see, cannot be waited for.
func (p *Platform) awaitPatch(ctx context.Context, id string) error {
	defer p.forget()
	deadline := p.o.Now().Add(workflowTimeout)
	for round := 0; id != ""; round++ {
		var data struct {
			Patch struct {
				Status string `json:"status"`
				Error  string `json:"lastAppliedError"`
			} `json:"environmentPatch"`
		}
		err := p.query(ctx, "query($id: String!) { environmentPatch(id: $id) { status lastAppliedError } }", map[string]any{"id": id}, &data)
		switch {
		case missing(err) || refused(err) || err == nil && data.Patch.Status == patchCommitted:
			return nil
		case err != nil && !transient(err):
			return p.explain(err, "look at the change %s of the environment", id)
		case data.Patch.Error != "":
			return errs.New(errs.Failure, "Railway could not apply the change %s: %s", id, errs.Redact(data.Patch.Error))
		case p.o.Now().After(deadline):
			return errs.New(errs.Timeout, "Railway has not applied the change %s after %s", id, workflowTimeout).WithHint("run the same command again")
		}
		if err := p.pause(ctx, round); err != nil {
			return err
		}
	}
	return nil
}
