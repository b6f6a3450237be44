package railway

import "github.com/opsctl/opsctl/internal/platform"

// Facts are from Railway's documentation of August 2026.
func Facts() platform.Facts {
	return platform.Facts{
		Name: "railway", Title: "Railway", AsOf: "2026-08",
		Strategies: []string{strategyRolling},
		Regions:    []string{"us-west2", "us-east4-eqdc4a", "europe-west4-drams3a", "asia-southeast1-eqsg3a"},
		Sizes:      sizes(),
		Tokens:     []string{envProjectToken, envAPIToken},

		Postgres:        "a service from Railway's template (PostgreSQL 16 to 18) with a volume; opsctl adds PgBouncer and point-in-time recovery",
		RecoveryWindow:  "since it was switched on, to a new service; volume backups daily (kept 6 days), weekly (1 month), monthly (3 months), restored in place only",
		Pooling:         "PgBouncer as a service of its own: transaction, session or statement; 20 server connections and 1000 clients a replica",
		Redis:           "a service from Railway's template",
		ReleaseCommand:  "Railway runs it as the pre-deploy command, before the new version starts, once and without volumes; its exit code is not always told",
		Source:          "uploads the directory; Railway builds it, from the Dockerfile where there is one",
		TimeLimits:      "health check 5 minutes unless set; API 100 requests an hour on Free, 1000 on Hobby, 10000 on Pro; HTTP requests 15 minutes",
		RollBack:        "image and all variables of then, also secrets; images are kept for a time that depends on the plan; data stays",
		SecretsRollBack: true,
		Cost:            "Hobby 5 USD, Pro 20 USD a month and seat, which count against use: about 20 USD a vCPU and 10 USD a GB of memory a month",
	}
}
