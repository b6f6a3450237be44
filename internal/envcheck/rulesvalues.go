package envcheck

// valueRuleDocs are about what a value looks like.
var valueRuleDocs = []RuleDoc{
	{
		ID: "placeholder", Level: Error, What: "a value is still a placeholder or the schema's example",
		Why: "changeme, your-key-here, <token>, xxx: in an example such a value says that one is to come, and copied from there it looks set, so that the required check is content. " +
			"In production it is an error, elsewhere a warning.",
		Fix: "Put in the real value. If the example is right as it is, make it the default: write it after KEY= in the schema.",
		Examples: []Example{
			{Bad: "API_KEY=changeme", Good: "API_KEY=5rJ0kZ2vTq", Env: "production"},
			{Schema: "# @required @type=url @example=\"https://hooks.example.com/in\"\nHOOK_URL=\n", Bad: "HOOK_URL=https://hooks.example.com/in", Good: "HOOK_URL=https://hooks.acme.io/in", Env: "production"},
		},
	},
	{
		ID: "whitespace", Level: Warning, What: "a value begins or ends with white space",
		Why: "Blanks around an unquoted value are dropped by every reader, in quotes they are part of the value. A key or a password with a blank at its end is another key, and no screen shows it.",
		Fix: "Remove the blank, or the line end that was pasted along.",
		Examples: []Example{
			{Bad: "API_KEY=\"5rJ0kZ2vTq \"", Good: "API_KEY=\"5rJ0kZ2vTq\""},
		},
	},
	{
		ID: "nested-quotes", Level: Warning, What: "a value has quotes inside its quotes",
		Why: "Platforms take what is typed into their form, or given to their command, as the value: quotes included (railwayapp/cli#1105). A line copied from a .env file then carries its quotes into the program.",
		Fix: "Paste the value without quotes.",
		Examples: []Example{
			{Bad: "API_KEY='\"5rJ0kZ2vTq\"'", Good: "API_KEY='5rJ0kZ2vTq'"},
		},
	},
	{
		ID: "comment-value", Level: Warning, What: "a value is a comment",
		Why: "docker compose gives FOO= # required in production the value \"# required in production\": the missing variable looks set, to every check that asks only whether it is there. This rule finds it where it has arrived, in the process environment; E-EMPTY-COMMENT finds the line that it comes from.",
		Fix: "Give the key a value, or remove it. Comments stand on a line of their own.",
		Examples: []Example{
			{File: ProcessName, Bad: "API_KEY='# required in production'", Good: "API_KEY=5rJ0kZ2vTq"},
		},
	},
}
