package emulator

import "time"

// Token is the access token that Env hands out for every platform. It has no value anywhere else.
const Token = "fo1_emulator" //nolint:gosec // not a credential

// Options configure a Server. The zero value is a server on free loopback
// ports whose machines run a placeholder.
type Options struct {
	// Listen is the address to serve Fly's APIs and the registry on, such as
	// "127.0.0.1:4280"; empty means a free loopback port. The other platforms
	// get the ports after it (see Platforms), or free ones if its port is free to choose.
	Listen string
	// Exec is the command that stands for every image; empty means a built-in placeholder.
	Exec []string
	// Dir is the directory that the processes run in; empty means a private one for each machine.
	Dir string
	// StateDir keeps everything: a server that is made with the same directory
	// goes on where this one ended. Empty means a temporary directory, removed by Close.
	StateDir string
	// SeedImages are references that exist from the start: "shop:v1" or "registry.example.com/shop:v1".
	SeedImages []string
	// Orgs and TakenNames are passed to the Fly API; see fly.Options.
	Orgs       []string
	TakenNames []string
	// ValidTokens are the only ones that any platform accepts; empty means any but an empty one.
	ValidTokens []string
	// TokenTTL is how long a token works after its first use; 0 means for ever.
	TokenTTL time.Duration
	// Lag hides what is new from reads for that long (eventual consistency).
	Lag time.Duration
	// PageSize is the most items that a list answers with; 0 means no limit but the platform's own.
	PageSize int
	// DeployTimeout is how long Render gives a deploy to get healthy; 0 means its 15 minutes.
	DeployTimeout time.Duration
	// Probe is the time between two health checks of a new version on Railway and Render; 0 means 200 ms.
	// (On Fly the machine's config says it.)
	Probe time.Duration
	// RecoveryGap is how far behind now Render's point-in-time recovery ends; 0
	// means not at all, where the real one says 10 minutes.
	RecoveryGap time.Duration
	// Latency delays every API answer.
	Latency time.Duration
	// Faults are in force from the start.
	Faults []Fault
	// NoPostgres refuses databases instead of starting real servers.
	NoPostgres bool
	// RestartBackoff is the pause before a crashed process starts again; 0 means 500 ms.
	RestartBackoff time.Duration
	// Now is the clock, nil means time.Now; Seed makes identifiers repeatable.
	Now  func() time.Time
	Seed uint64
	// Log receives one line for every machine, database and fault event. May be nil.
	Log func(line string)
	// OnRequest is called after every API request. May be nil.
	OnRequest func(Request)
}
