package envcheck

// urlRuleDocs are about what a URL points at.
var urlRuleDocs = []RuleDoc{
	{
		ID: "local-host", Level: Error, What: "a production URL points at this machine or a compose service",
		Why: "localhost, 127.0.0.1 and host.docker.internal are the container itself once the app is deployed, and db or redis are names that only docker compose knows. The app starts and fails at its first query. " +
			"Checked in production, for URLs whose scheme means a network connection: s3://bucket or myapp://callback have no host. Private names (*.internal, *.flycast, Render's dpg- and red-) are fine.",
		Fix: "Put in the address that the platform gives. Where production is docker compose, or a service name is right, say # opsctl: allow-local above the key.",
		Examples: []Example{
			{Bad: "DATABASE_URL=postgres://app@localhost:5432/app", Good: "DATABASE_URL=postgres://app@db.internal:5432/app", Env: "production"},
			{Bad: "REDIS_URL=redis://redis:6379", Good: "UPLOADS=s3://invoices/2027", Env: "production"},
		},
	},
	{
		ID: "insecure-url", Level: Error, What: "a public production URL is http",
		Why: "Links, redirects and cookies follow the app's own URL. With http:// sign-in cookies marked Secure are not sent, callbacks of OAuth are refused, and what does work can be read on the way. Looked at: NEXT_PUBLIC_ variables, and APP_URL, SITE_URL, BASE_URL, AUTH_URL, NEXTAUTH_URL and the like where the host is public.",
		Fix: "Write https://.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_APP_URL=http://erp.example.com", Good: "NEXT_PUBLIC_APP_URL=https://erp.example.com", Env: "production"},
		},
	},
	{
		ID: "tls", Level: Warning, What: "a database connection over a public network is not encrypted",
		Why: "libpq's default, sslmode=prefer, goes on without TLS when the server, or somebody in between, says that it has none. redis:// never encrypts: the password is the first thing sent. Hosts on a private network are left alone. Checked in production.",
		Fix: "Add ?sslmode=require, or verify-full with the server's certificate; write rediss:// for Redis.",
		Examples: []Example{
			{Bad: "DATABASE_URL=postgres://app@db.example.com/app", Good: "DATABASE_URL=postgres://app@db.example.com/app?sslmode=require", Env: "production"},
			{Bad: "REDIS_URL=redis://cache.example.com:6379", Good: "REDIS_URL=rediss://cache.example.com:6379", Env: "production"},
		},
	},
	{
		ID: "test-database", Level: Error, What: "the test database is the real one",
		Why: "Integration tests drop and truncate what they find. Host, port and database name of TEST_DATABASE_URL and DATABASE_URL are compared, in whatever spelling: localhost and 127.0.0.1, with and without the default port, as another user. " +
			"A name without \"test\" in it is a warning. In CI (CI is set, --env test) a test database on another machine is an error too.",
		Fix: "Give the tests a database of their own, and call it so.",
		Examples: []Example{
			{Bad: "DATABASE_URL=postgres://app@localhost/app_test\nTEST_DATABASE_URL=postgresql://tests@127.0.0.1:5432/app_test", Good: "DATABASE_URL=postgres://app@localhost/app\nTEST_DATABASE_URL=postgres://app@localhost/app_test", At: ".env:2"},
			{Bad: "TEST_DATABASE_URL=postgres://app@localhost/scratch", Good: "TEST_DATABASE_URL=postgres://app@localhost/scratch_test", Level: Warning},
		},
	},
	{
		ID: "pooling", Level: Error, What: "a pooled URL where a direct one belongs, or the other way round",
		Why: "A transaction pooler (port 6543 at Supabase, -pooler. in Neon's hosts, pgbouncer=true) hands out another connection for each transaction: migrations lose their locks and settings. So the URL for migrations (DIRECT_URL, *_UNPOOLED, @tag(migrations), # opsctl: direct) has to go around it. " +
			"Warnings: a key marked # opsctl: pooled that is not, and Prisma on a pooler without pgbouncer=true, which ends in \"prepared statement s0 already exists\" (prisma/orm#11643, #6480, #22831). Supabase's port 5432 on the pooler's host is session mode, an info.",
		Fix: "Use the platform's direct URL for migrations and the pooled one for the app; add ?pgbouncer=true for Prisma.",
		Examples: []Example{
			{Bad: "DIRECT_URL=postgres://app@ep-x-pooler.eu.neon.tech/app", Good: "DIRECT_URL=postgres://app@ep-x.eu.neon.tech/app"},
			{Bad: "DATABASE_URL=postgres://app@aws-0-eu.pooler.supabase.com:6543/app", Good: "DATABASE_URL=postgres://app@aws-0-eu.pooler.supabase.com:6543/app?pgbouncer=true",
				Files: []ExampleFile{{"prisma/schema.prisma", "datasource db { provider = \"postgresql\" }"}}, Level: Warning},
			{Schema: "# @optional\n# opsctl: pooled\nDATABASE_URL=\n", Bad: "DATABASE_URL=postgres://app@ep-x.eu.neon.tech/app?sslmode=require", Good: "DATABASE_URL=postgres://app@ep-x-pooler.eu.neon.tech/app?sslmode=require", Env: "production", Level: Warning},
			{Bad: "DATABASE_URL=postgres://app@aws-0-eu.pooler.supabase.com:5432/app", Good: "DATABASE_URL=postgres://app@aws-0-eu.pooler.supabase.com:6543/app", Level: Info},
		},
	},
	{
		ID: "url-password", Level: Error, What: "a password in a URL is not percent-encoded",
		Why: "A password with @, /, ? or # in it moves the place where the host begins, and parsers disagree about where to: Go's and the browser's do not read the same host from such a URL. A lone % is refused by some and kept by others. The column is that of the character.",
		Fix: "Percent-encode it: @ is %40, / is %2F, ? is %3F, # is %23, % is %25. Or use passwords of letters and digits.",
		Examples: []Example{
			{Bad: "DATABASE_URL='postgres://app:p@ss@localhost/app'", Good: "DATABASE_URL='postgres://app:p%40ss@localhost/app'"},
		},
	},
}
