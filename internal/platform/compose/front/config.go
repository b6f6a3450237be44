// Package front is the small server that stands before an app's containers on a
// Docker engine: one published port whose targets change without a gap, and the
// keeper of the app's state.
//
// It runs in a container of its own, made of the opsctl program or, where that is
// of another system, built from this very source. So it imports the standard
// library alone, and Main is all of its command line:
//
//	front serve                 the proxy, and a socket for the commands below
//	front set                   takes a Config from stdin
//	front status                prints a Status
//	front drain SECONDS NAME... waits until nothing is under way to these targets
//	front dump                  prints a Dump: every file of the state, and the Status
//	front put NAME SUM          writes a file of the state from stdin, if it still has that sum
//	front hold SECONDS          ends when it was not sent SIGHUP for so long
package front

import (
	"crypto/sha256"
	"encoding/hex"
)

// Protocol is the version of the commands. A front that runs with another one is
// made anew; one with the same stays, whatever opsctl it came with.
const Protocol = "1"

// Where things are in the front's container.
const (
	Program = "/opsctl" // the program; it is called with Command first
	Command = "front"
	Dir     = "/state" // the volume with the app's state
	Port    = 8080     // the proxy listens here
)

// Exit codes of the command line.
const (
	ExitFailure  = 1
	ExitUsage    = 2
	ExitConflict = 3 // put: somebody else has written the file
	ExitTimeout  = 4 // drain: requests are under way still
)

// Config is what the proxy is to do.
type Config struct {
	// Targets share the traffic.
	Targets []Target `json:"targets"`
	// Candidates are only checked.
	Candidates []Target `json:"candidates,omitempty"`
}

// Target is one instance of the app.
type Target struct {
	Name    string `json:"name"`             // of the container
	Address string `json:"address"`          // host:port
	Health  string `json:"health,omitempty"` // path to check; "": whether the port is open
}

// Status is how the targets stand.
type Status struct {
	Targets []TargetStatus `json:"targets"`
}

// TargetStatus is a target with what its checks saw.
type TargetStatus struct {
	Target
	Serving bool   `json:"serving"` // it takes traffic
	Checked bool   `json:"checked"` // at least once
	Passing bool   `json:"passing"` // the last check passed
	Output  string `json:"output,omitempty"`
	Active  int    `json:"active"` // requests under way
}

// Dump is all that there is to know.
type Dump struct {
	Files  map[string]string `json:"files"`            // name to content
	Status *Status           `json:"status,omitempty"` // nil when no proxy runs
}

// Sum names the content of a file; "-" is no file.
func Sum(content string, exists bool) string {
	if !exists {
		return "-"
	}
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
