package deploy

import "time"

// Status is how a step stands.
type Status string

// The statuses of a step.
const (
	Started  Status = "started"
	Progress Status = "progress" // Detail says what is going on
	Done     Status = "done"
	Skipped  Status = "skipped" // Detail says why
	Failed   Status = "failed"  // Detail says why
	Undone   Status = "undone"  // the step's compensation ran; Detail says what it did
	Kept     Status = "kept"    // the step could not be undone; Detail says what stays
	Warned   Status = "warned"  // something beside the way; the step goes on
)

// Event tells what the engine does.
type Event struct {
	Step   string
	Status Status
	Detail string
	Took   time.Duration
}
