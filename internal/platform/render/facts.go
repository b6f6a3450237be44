package render

import "github.com/opsctl/opsctl/internal/platform"

func regions() []string {
	return []string{"oregon", "ohio", "virginia", "frankfurt", "singapore"}
}

// sizes are the instance types that the API takes for a service, with their memory
// in docs: starter 512 MB, standard 2 GB, pro 4 GB, pro_plus 8 GB, pro_max 16 GB, pro_ultra 32 GB.
func sizes() []string {
	return []string{"starter", "standard", "pro", "pro_plus", "pro_max", "pro_ultra"}
}

// Facts are from Render's documentation.
func Facts() platform.Facts {
	return platform.Facts{
		Name: "render", Title: "Render", AsOf: "2026-08",
		Strategies: []string{strategy}, Regions: regions(), Sizes: sizes(), Tokens: []string{"RENDER_API_KEY"},
		Postgres:        "PostgreSQL 11 to 18, basic_256mb and up; high availability and read replicas from pro on",
		RecoveryWindow:  "3 days in a Hobby workspace, 7 days in others; not the last 10 minutes; always into a new database; exports kept for 7 days",
		Pooling:         "PgBouncer of Render's, transaction mode only; its sizes are Render's",
		Redis:           "Key Value (Valkey), the version is Render's; no backups in the API",
		ReleaseCommand:  "preDeployCommand: on Render, before the new version starts, with the app's variables; 30 minutes; paid instance types",
		Source:          "from a repository at GitHub, GitLab or Bitbucket by commit, with its Dockerfile; no upload",
		TimeLimits:      "requests 100 minutes; build 120 minutes, release command 30, start of the app 15",
		RollBack:        "the artifact of then with the variables of then, secrets included, while Render keeps it; what is saved stays and the next deploy uses it; no data",
		SecretsRollBack: true,
		Cost:            "an instance from 7 USD a month, PostgreSQL from 6 USD and its disk, Key Value from 10 USD; workspace 0 or 19 USD a member",
	}
}
