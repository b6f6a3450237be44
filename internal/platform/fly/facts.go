package fly

import "github.com/opsctl/opsctl/internal/platform"

// Facts are from Fly.io's documentation: regions, pricing, Managed Postgres,
// Upstash for Redis, machine sizes.
func Facts() platform.Facts {
	return platform.Facts{
		Name: "fly", Title: "Fly.io", AsOf: "2026-08",
		Strategies: strategies(),
		Regions: []string{
			"ams", "arn", "bom", "cdg", "dfw", "ewr", "fra", "gru", "iad", "jnb", "lax", "lhr", "nrt", "ord", "sin", "sjc", "syd", "yyz",
		},
		Sizes:  Sizes(),
		Tokens: []string{"FLY_ACCESS_TOKEN", "FLY_API_TOKEN"},

		Postgres:       "Managed Postgres 16 or 17, highly available, 10 GB to 1 TB, in ams dfw fra gru iad lax lhr nrt ord sin sjc syd yyz; its addresses are reached from inside Fly.io only",
		RecoveryWindow: "any moment since the oldest backup that is kept, but for the last minutes; the API does not tell the window, and no retention is documented; always into a new cluster",
		Pooling:        "PgBouncer with every plan, session or transaction mode; the mode of a running cluster is changed in the dashboard",
		Redis:          "Upstash, reached from inside the organization; pay as you go or a fixed plan",
		ReleaseCommand: "opsctl runs it in a machine of its own before the roll-out, with the app's secrets; it may take as long as release.timeout",
		Source:         "an image, built here and pushed to registry.fly.io",
		TimeLimits:     "none for requests that keep answering: 60 s without a byte end one; none for tasks; a machine that stops gets its kill_timeout, at most 5 minutes",
		RollBack:       "image, variables and settings of any release of the list; secrets, volumes and databases stay as they are",
		Cost:           "by the second: shared-cpu-1x:512mb about $3.69 a month, shared-cpu-1x:1gb $6.70, performance-1x $33 (in iad; more elsewhere); Managed Postgres from $38 a month and $0.28 a GB; Redis $0.20 for 100 000 commands; traffic from $0.02 a GB; no free tier",
	}
}
