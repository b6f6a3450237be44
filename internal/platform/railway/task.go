package railway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// taskResult is how the release command ended, which Railway runs between the
// build and the start of the new version. It does not give the exit code by
// itself: at most the text of the step has it.
func (p *Platform) taskResult(ctx context.Context, pr progress, failed error) *platform.TaskResult {
	s := pr.step(stepCommand)
	if s == nil && failed != nil || s != nil && s.skipped() {
		return nil
	}
	result := &platform.TaskResult{ID: pr.ID, Started: true}
	if s == nil { // a deployment that is well has run it
		return result
	}
	text := s.trouble()
	atFault := text != "" || failed != nil && pr.step(stepCreate) == nil && !unfinished(pr.Status)
	switch {
	case atFault:
		result.ExitCode = exitCode(text)
		result.OOM = strings.Contains(strings.ToLower(text), "out of memory")
	case s.Completed == nil && failed != nil: // cut off
		result.ExitCode = platform.ExitUnknown
	}
	result.Log = p.lastLines(ctx, pr, s)
	return result
}

// exitCode looks for a number after the word code in what a step says.
func exitCode(text string) int {
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') })
	for i, w := range words {
		if (w == "code" || w == "status") && i+1 < len(words) {
			if n, err := strconv.Atoi(words[i+1]); err == nil && n != 0 {
				return n
			}
		}
	}
	return platform.ExitUnknown
}

// lastLines is the end of a deployment's output, or of one step of it; nothing
// when it cannot be had, since it only illustrates something else.
func (p *Platform) lastLines(ctx context.Context, pr progress, during *step) []string {
	if pr.ID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var data struct {
		Runtime []logNode `json:"deploymentLogs"`
		Build   []logNode `json:"buildLogs"`
	}
	text := "query($id: String!, $limit: Int!) { deploymentLogs(deploymentId: $id, limit: $limit) {" + logFields + "} }"
	if during == nil && pr.step(stepCreate) == nil && pr.step(stepCommand) == nil {
		text = "query($id: String!, $limit: Int!) { buildLogs(deploymentId: $id, limit: $limit) {" + logFields + "} }"
	}
	const enough = 500 // of the command, whose lines come before those of the app
	if err := p.query(ctx, text, map[string]any{"id": pr.ID, "limit": enough}, &data); err != nil {
		return nil
	}
	list := append(data.Runtime, data.Build...)
	slices.SortStableFunc(list, func(a, b logNode) int { return a.Timestamp.Compare(b.Timestamp) })
	if during != nil {
		list = slices.DeleteFunc(list, func(l logNode) bool { return !during.covers(pr, l.Timestamp) })
	}
	list = list[max(0, len(list)-logTail):]
	out := make([]string, 0, len(list))
	for _, l := range list {
		out = append(out, errs.Redact(l.Message))
	}
	return out
}

// covers tells whether a moment belongs to the step: before the app's container
// was made, when there is one, and else simply after the step began. The clocks
// of the log and of the events differ a little.
func (s step) covers(pr progress, at time.Time) bool {
	const slack = 2 * time.Second
	if at.Before(s.Created.Add(-slack)) {
		return false
	}
	if next := pr.step(stepCreate); next != nil && next.Created.After(s.Created) {
		return at.Before(next.Created)
	}
	return s.Completed == nil || at.Before(s.Completed.Add(slack))
}
