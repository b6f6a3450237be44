package envcheck

// serviceRules are about the keys of services, and what goes into the browser.
var serviceRules = []RuleDoc{
	{
		ID: "key-pair", Level: Error, What: "a test key stands beside a live key",
		Why: "A publishable key and a secret key belong to one instance of Clerk, Stripe and the like. Mixed, the browser signs in at one instance and the server asks the other: every session is refused. " +
			"Pairs are found by their names (NEXT_PUBLIC_X_PUBLISHABLE_KEY and X_SECRET_KEY), or named with pair=KEY.",
		Fix: "Take both keys from the same instance.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY=pk_live_51H8abcdefgh\nSTRIPE_SECRET_KEY=sk_test_51H8abcdefgh", Good: "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY=pk_test_51H8abcdefgh\nSTRIPE_SECRET_KEY=sk_test_51H8abcdefgh", At: ".env:2"},
		},
	},
	{
		ID: "key-mode", Level: Error, What: "a test key in production, or a live key elsewhere",
		Why: "With a test key in production nobody is charged, and users sign up at the development instance. A live key on a laptop is the other way round: a trial run charges real cards. " +
			"The second is a warning. A Next.js preview runs as production too.",
		Fix: "Put in the key of this environment. A preview deployment may say --allow-test-keys, or # opsctl: allow-test-key above the key.",
		Examples: []Example{
			{Bad: "STRIPE_SECRET_KEY=sk_test_51H8abcdefgh", Good: "STRIPE_SECRET_KEY=sk_live_51H8abcdefgh", Env: "production"},
			{Bad: "STRIPE_SECRET_KEY=sk_live_51H8abcdefgh", Good: "STRIPE_SECRET_KEY=sk_test_51H8abcdefgh", Level: Warning},
		},
	},
	{
		ID: "publishable-key", Level: Error, What: "a Clerk publishable key is cut off or of another instance",
		Why: "What follows pk_test_ or pk_live_ is base64 of the instance's host and a dollar sign: pk_live_Y2xlcmsuZXhhbXBsZS5jb20k is clerk.example.com$. So a paste that lost its end can be seen, and so can a key marked live that names a development host (clerk.accounts.dev). " +
			"In production a host of another domain than NEXT_PUBLIC_APP_URL's is a warning.",
		Fix: "Copy the whole key of the right instance from Clerk's dashboard.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_test_cmVsYXhlZC10dXJr", Good: "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_test_cmVsYXhlZC10dXJrZXktNjcuY2xlcmsuYWNjb3VudHMuZGV2JA"},
			{Bad: "NEXT_PUBLIC_APP_URL=https://erp.other.net\nNEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", Good: "NEXT_PUBLIC_APP_URL=https://erp.example.com\nNEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", At: ".env:2", Env: "production", Level: Warning},
		},
	},
	{
		ID: "swapped-keys", Level: Error, What: "a publishable key and a secret key have changed places",
		Why: "The two stand side by side on every dashboard. A secret key under a NEXT_PUBLIC_ name is in the bundle of every visitor from the next build on. The type's own message, that a pattern does not match, would not say so.",
		Fix: "Exchange them. Replace the secret key if a build with it was ever published.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY=sk_test_51H8abcdefghijklmnop\nSTRIPE_SECRET_KEY=pk_test_51H8abcdefgh", Good: "NEXT_PUBLIC_STRIPE_PUBLISHABLE_KEY=pk_test_51H8abcdefgh\nSTRIPE_SECRET_KEY=sk_test_51H8abcdefghijklmnop"},
		},
	},
	{
		ID: "public-secret", Level: Error, What: "a secret goes into the browser bundle",
		Why: "Next.js writes the value of every NEXT_PUBLIC_ variable into the JavaScript that it sends to browsers, where anybody can read it (vercel/next.js#11131). The name (SECRET, TOKEN, PASSWORD, PRIVATE) or the value (a service's prefix, a private key, a URL with a password) gives it away. " +
			"The value of a sensitive key under a public name, and a long random text, are warnings. What services make for browsers is left alone: publishable keys, Mapbox and PostHog tokens, Google's browser keys, Supabase's anonymous key.",
		Fix: "Drop the prefix NEXT_PUBLIC_ and use the key on the server. Replace the secret if it was ever deployed.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_API_TOKEN=5rJ0kZ2vTq", Good: "API_TOKEN=5rJ0kZ2vTq"},
			{Bad: "NEXT_PUBLIC_UPLOADS=AKIAIOSFODNN7EXAMPLE", Good: "NEXT_PUBLIC_UPLOADS=https://uploads.example.com"},
			{Bad: "NEXT_PUBLIC_MAP_KEY=Zm9Xc2VjUmV0LWtleTp2M3J5cmFuZG9tMTIzNDU2", Good: "NEXT_PUBLIC_MAP_KEY=pk.eyJ1IjoiYWNtZSJ9.Zm9Xc2VjUmV0LWtleTp2", Level: Warning},
		},
	},
	{
		ID: "secret-in-schema", Level: Error, What: "a default or an example of the schema is a secret",
		Why: "The schema is committed, everybody who can read the repository has it, and .env.example and the types of the code are made from it. A default there is a value that every environment has. " +
			"Placeholders, documented examples and passwords of local databases are left alone; a test key is a warning.",
		Fix: "Take it out of the schema, give the key an `@example` that is made up, and replace the secret: it stays in git's history.",
		Examples: []Example{
			{File: ".env.schema", At: ".env.schema:2", Bad: "# @sensitive @optional\nSTRIPE_SECRET_KEY=sk_live_51Hq0z9KlmnOpQrStUvWx\n", Good: "# @sensitive @optional @example=sk_live_...\nSTRIPE_SECRET_KEY=\n"},
		},
	},
	{
		ID: "build-only", Level: Warning, What: "a build-time secret is in the runtime environment",
		Why: "What only the build needs, such as the token that uploads source maps, is one more secret that a break-in of the running app gives away. SENTRY_AUTH_TOKEN is known; the schema says phase=build for others. Checked with --phase runtime.",
		Fix: "Remove the key from the runtime's secrets and keep it in CI.",
		Examples: []Example{
			{Bad: "SENTRY_AUTH_TOKEN=sntrys_abcdefghijklmnop", Good: "SENTRY_DSN=https://0a1b2c@o1.ingest.sentry.io/1", Phase: "runtime"},
		},
	},
	{
		ID: "build-time", Level: Info, What: "a value that was inlined at build time",
		Why: "Next.js replaces NEXT_PUBLIC_ variables by their values when it builds. Changing one on the platform changes nothing in the browser until the next build. Checked with --phase runtime.",
		Fix: "Build again after changing it, with the new value in the build's environment.",
		Examples: []Example{
			{Bad: "NEXT_PUBLIC_APP_URL=https://erp.example.com", Good: "APP_URL=https://erp.example.com", Phase: "runtime"},
		},
	},
}
