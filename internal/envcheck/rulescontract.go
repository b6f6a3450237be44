package envcheck

// contractRules are about what the schema asks for.
var contractRules = []RuleDoc{
	{
		ID: "required", Level: Error, What: "a required key is missing or empty",
		Why: "A variable that is missing is noticed when the code first needs it: minutes into a deploy, as a failed health check (getlarge/themoltnet#136), or never. " +
			"Without its webhook secret one app verified no webhook at all, and nothing said so (Vectreal/vectreal-platform PR 803). " +
			"An empty value counts as missing: KEY= gives the program an empty text.",
		Fix: "Set the key. If the app runs without it, say @optional in the schema; if only some environments need it, say @required=forEnv(production).",
		Examples: []Example{
			{Schema: "# @defaultRequired=true\n# ---\n\nSESSION_SECRET=\n\n# @optional\nLOG_LEVEL=\n", Bad: "LOG_LEVEL=info", Good: "LOG_LEVEL=info\nSESSION_SECRET=5rJ0kZ2vTq", At: ".env.schema:4"},
			{Schema: "# @defaultRequired=true\n# ---\n\nSESSION_SECRET=\n", Bad: "SESSION_SECRET=", Good: "SESSION_SECRET=5rJ0kZ2vTq"},
		},
	},
	{
		ID: "type", Level: Error, What: "a value does not fit its type",
		Why: "Every value is text until a program makes something of it. Where it cannot, some programs stop, and others go on with NaN, false or a default, which is found much later. " +
			"The message names the type and the option that does not hold, never the value.",
		Fix: "Write a value that fits, or widen the type in the schema. With enum the nearest value is proposed.",
		Examples: []Example{
			{Schema: "# @type=enum(debug, info, warn) @optional @public\nLOG_LEVEL=\n", Bad: "LOG_LEVEL=inof", Good: "LOG_LEVEL=info"},
			{Schema: "# @type=port @optional\nPORT=\n", Bad: "PORT=80800", Good: "PORT=8080"},
		},
	},
	{
		ID: "empty", Level: Warning, What: "an optional key is set but empty",
		Why: "KEY= is not the same as no line: the variable exists and holds an empty text, so that the default in the code is not used. " +
			"For a number, a port, a boolean or a duration this breaks the program that reads it: Python's int() raises an error, JavaScript's Number() makes it 0. " +
			"For other types it is an info.",
		Fix: "Remove the line, or give the key a value. If an empty text means something, say @type=string(allowEmpty=true) beside @optional; a required key is never empty.",
		Examples: []Example{
			{Schema: "# @type=number @optional\nCONN_MAX_AGE=\n", Bad: "CONN_MAX_AGE=", Good: "CONN_MAX_AGE=600"},
			{Schema: "# @optional\nREPLY_TO=\n", Bad: "REPLY_TO=", Good: "REPLY_TO=office@example.com", Level: Info},
		},
	},
	{
		ID: "unknown-key", Level: Warning, What: "a key is not in the schema",
		Why: "A key that no one wrote down is a typing mistake, something left over, or a variable that the next person will not know about. " +
			"One project found more than twelve of the last kind (atomantic/PortOS#5706). varlock accepts such keys in silence.",
		Fix: "Rename the key if it was misspelt, or add it to the schema. Variables that a package reads by itself, such as AUTH_SECRET or TZ, belong there too.",
		Examples: []Example{
			{Schema: "# @optional\nLOG_LEVEL=\n", Bad: "LOG_LEVL=info", Good: "LOG_LEVEL=info"},
		},
	},
	{
		ID: "deprecated", Level: Warning, What: "a deprecated key is set",
		Why: "The schema says that the key is on its way out. As long as it is set nobody can see whether anything still reads it.",
		Fix: "Set the key that replaces it, and remove the line when nothing reads it. opsctl env scan tells.",
		Examples: []Example{
			{Schema: "# @optional\nDATABASE_URL=\n\n# @optional @deprecated=\"use DATABASE_URL\"\nDB_URL=\n", Bad: "DB_URL=postgres://app@localhost/app", Good: "DATABASE_URL=postgres://app@localhost/app"},
		},
	},
	{
		ID: "group", Level: Error, What: "half of a pair of keys is set",
		Why: "Some keys work only together, and each alone is worse than none: the feature looks configured and fails at its first use. " +
			"The schema says so with pair=KEY; two of them on one key make a group of three. A service's publishable key and its secret key (CLERK_SECRET_KEY, NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY) are a pair by their names.",
		Fix: "Set all keys of the group or none.",
		Examples: []Example{
			{Schema: "# @optional\n# opsctl: pair=SMTP_PASSWORD\nSMTP_USER=\n\n# @optional\nSMTP_PASSWORD=\n", Bad: "SMTP_USER=mailer", Good: "SMTP_USER=mailer\nSMTP_PASSWORD=5rJ0kZ2vTq"},
			{Schema: "# @optional\n# opsctl: pair=S3_KEY_ID, pair=S3_SECRET\nS3_BUCKET=\n\n# @optional\nS3_KEY_ID=\n\n# @optional\nS3_SECRET=\n", Bad: "S3_BUCKET=invoices\nS3_KEY_ID=k-1", Good: "S3_BUCKET=invoices\nS3_KEY_ID=k-1\nS3_SECRET=5rJ0kZ2vTq"},
		},
	},
	{
		ID: "base64", Level: Error, What: "a value is not base64 of so many bytes",
		Why: "A key that is too short is weaker than it looks, and a program that wants 32 bytes fails on 31. The schema asks for it with base64=BYTES. " +
			"Both alphabets are accepted, with and without padding.",
		Fix: "Make a new one: openssl rand -base64 BYTES.",
		Examples: []Example{
			{Schema: "# @optional\n# opsctl: base64=32\nAUTH_SECRET=\n", Bad: "AUTH_SECRET=c2hvcnQ=", Good: "AUTH_SECRET=kq2vJ1cQ0w6l3b1m8n5x7z9A2C4E6G8I0K2M4O6Q8S0="},
		},
	},
	{
		ID: "hex", Level: Error, What: "a value is not hex of so many bytes",
		Why: "As with base64: the length is part of what the key is worth. The schema asks for it with hex=BYTES.",
		Fix: "Make a new one: openssl rand -hex BYTES.",
		Examples: []Example{
			{Schema: "# @optional\n# opsctl: hex=16\nCSRF_KEY=\n", Bad: "CSRF_KEY=00ff", Good: "CSRF_KEY=8b1f0c2d4e6a7b9c0d1e2f3a4b5c6d7e"},
		},
	},
	{
		ID: "expires", Level: Error, What: "a value is past its date, or within 30 days of it",
		Why: "Tokens and certificates end on a day that nobody remembers. The schema keeps the date beside the key with expires=YYYY-MM-DD: a warning in the last 30 days, an error after it.",
		Fix: "Replace the value, and the date in the schema.",
		Examples: []Example{
			{Schema: "# @optional\n# opsctl: expires=2027-01-31\nPARTNER_TOKEN=\n", Bad: "PARTNER_TOKEN=5rJ0kZ2vTq", Good: "# PARTNER_TOKEN is not set", Today: "2027-02-01"},
			{Schema: "# @optional\n# opsctl: expires=2027-01-31\nPARTNER_TOKEN=\n", Bad: "PARTNER_TOKEN=5rJ0kZ2vTq", Good: "# PARTNER_TOKEN is not set", Today: "2027-01-10", Level: Warning},
		},
	},
	{
		ID: "same-host-not", Level: Error, What: "two URLs that must differ are on one host",
		Why: "A replica, a backup target or a staging database that turns out to be the primary fails on the day it is needed, or is overwritten. The schema says so with same-host-not=KEY. " +
			"Host and port are compared; user, password and query are not.",
		Fix: "Point one of them at another host.",
		Examples: []Example{
			{Schema: "# @optional\nDATABASE_URL=\n\n# @optional\n# opsctl: same-host-not=DATABASE_URL\nREPLICA_URL=\n", Bad: "DATABASE_URL=postgres://app@db-1.example.com/app\nREPLICA_URL=postgres://reader@db-1.example.com:5432/app",
				Good: "DATABASE_URL=postgres://app@db-1.example.com/app\nREPLICA_URL=postgres://reader@db-2.example.com:5432/app", At: ".env:2"},
		},
	},
}
