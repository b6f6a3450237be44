package platform

// Facts are what is to be known of a platform before choosing it. They are from
// the vendors' documentation; each adapter's Facts names the date.
type Facts struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	AsOf       string   `json:"as_of"` // month of the documentation they are from
	Strategies []string `json:"strategies"`
	Regions    []string `json:"regions"`
	Sizes      []string `json:"sizes"`
	// Tokens are the variables that hold the credentials, the first that is set wins.
	Tokens []string `json:"tokens"`

	Postgres       string `json:"postgres"`        // the managed PostgreSQL
	RecoveryWindow string `json:"recovery_window"` // of point-in-time recovery
	Pooling        string `json:"pooling"`
	Redis          string `json:"redis"`
	ReleaseCommand string `json:"release_command"` // where it runs, and how long it may
	Source         string `json:"source"`          // how it builds from source
	TimeLimits     string `json:"time_limits"`     // of requests and jobs
	RollBack       string `json:"roll_back"`       // what comes back, and what does not
	Cost           string `json:"cost"`            // what to expect, roughly
	// SecretsRollBack: the platform's own roll-back brings the secrets of then back, too.
	SecretsRollBack bool `json:"secrets_roll_back"`
}
