package backup

import "time"

// Event tells what is going on.
type Event struct {
	Stage string // one of the Stage constants
	State State
	Bytes int64  // done so far, of the stage's stream; 0 when it has none
	Total int64  // expected; 0 when not known
	Text  string // for people; never has a secret
}

// State is where a stage stands.
type State string

// The states of a stage.
const (
	Started  State = "started"
	Progress State = "progress"
	Done     State = "done"
	Failed   State = "failed"
	Skipped  State = "skipped"
	Note     State = "note" // something worth knowing, the stage goes on
)

// The stages of Create and Verify.
const (
	StageConnect   = "connect"
	StagePreflight = "preflight"
	StageDump      = "dump"
	StageGlobals   = "globals"
	StageManifest  = "manifest"
	StageRead      = "read"
	StageCluster   = "cluster"
	StageRestore   = "restore"
	StageCompare   = "compare"
	StageChecks    = "checks"
)

// Func receives events, one at a time. It must not block for long.
type Func func(Event)

func (f Func) emit(e Event) {
	if f != nil {
		f(e)
	}
}

// reportEvery is the time between two progress events of a stream.
const reportEvery = 200 * time.Millisecond
