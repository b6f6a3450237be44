package envcheck

// scanRules are about what source code does with the variables: opsctl env scan.
var scanRules = []RuleDoc{
	{
		ID: "scan-undeclared", Level: Error, What: "code reads a variable that the schema does not have",
		Why: "Nobody who sets up the app knows that it is wanted, and no check misses it. Where every read has a default or runs behind a check of the same variable, or only tests read it, it is a warning; a check that ends in throw, an exit or an error says that it is needed. Variables that the system sets (PATH, HOME, CI), and those that next.config or a bundler's definition puts in, are left out.",
		Fix: "Add it to the schema, or take the name that is proposed.",
		Examples: []Example{
			{Scan: true, Schema: "# @optional\nAPI_URL=\n", File: "app/api.ts", Bad: "export const url = process.env.API_ULR!\n", Good: "export const url = process.env.API_URL!\n"},
			{Scan: true, Schema: "# @optional\nAPI_URL=\n", File: "app/api.ts", Bad: "fetch(process.env.API_URL!, { signal: AbortSignal.timeout(Number(process.env.API_TIMEOUT ?? 500)) })\n", Good: "fetch(process.env.API_URL!)\n", Level: Warning},
			{Scan: true, Schema: "# @optional\nAPI_URL=\n", File: "lib/pay.ts", Bad: "if (!process.env.API_KEY) throw new Error(\"API_KEY is not set\")\n", Good: "if (!process.env.API_URL) throw new Error(\"API_URL is not set\")\n"},
			{Scan: true, Schema: "# @optional\nAPI_URL=\n", File: "lib/sentry.ts", Bad: "if (process.env.SENTRY_DSN) init(process.env.SENTRY_DSN)\nfetch(process.env.API_URL!)\n", Good: "fetch(process.env.API_URL!)\n", Level: Warning},
		},
	},
	{
		ID: "scan-unused", Level: Warning, What: "the schema has a variable that nothing reads",
		Why: "It is asked for, set and kept secret on every platform for nothing, or its reader was renamed. Files of configuration count as readers, and so do packages that read a variable by itself, where package.json has them.",
		Fix: "Remove it from the schema. If something outside of the repository reads it, say @auditIgnore above it and who.",
		Examples: []Example{
			{Scan: true, File: ".env.schema", Bad: "# @optional\nAPI_URL=\n# @optional\nOLD_FLAG=\n", Good: "# @optional\nAPI_URL=\n", Files: []ExampleFile{{"app/api.ts", "export const url = process.env.API_URL!\n"}}, At: ".env.schema:4"},
		},
	},
	{
		ID: "scan-client", Level: Error, What: "browser code reads a variable that is not in the browser",
		Why: "Next.js puts NEXT_PUBLIC_ variables into the bundle and no others: in a file with \"use client\" every other one is undefined in the browser, and set when the same code runs on the server. With a default or a check it is a warning.",
		Fix: "Read it on the server and hand the value down, or give it a NEXT_PUBLIC_ name if everybody may see it.",
		Examples: []Example{
			{Scan: true, Schema: "# @optional\nAPI_URL=\n# @optional\nNEXT_PUBLIC_API_URL=\n", File: "app/map.tsx", Bad: "\"use client\"\nexport const url = process.env.API_URL!\nexport const pub = process.env.NEXT_PUBLIC_API_URL!\n",
				Good: "\"use client\"\nexport const pub = process.env.NEXT_PUBLIC_API_URL!\n", At: "app/map.tsx:2", Files: []ExampleFile{{"lib/api.ts", "export const url = process.env.API_URL!\n"}}},
		},
	},
	{
		ID: "scan-computed", Level: Warning, What: "browser code reads a variable in a form that Next.js does not replace",
		Why: "The bundler replaces the text process.env.NEXT_PUBLIC_NAME. process.env[name], or a name taken out of process.env by destructuring, stays as it is, and is undefined in the browser.",
		Fix: "Write out process.env.NEXT_PUBLIC_NAME for each variable.",
		Examples: []Example{
			{Scan: true, Schema: "# @optional\nNEXT_PUBLIC_API_URL=\n", File: "app/map.tsx", Bad: "\"use client\"\nexport const get = (name: string) => process.env[name]\nexport const url = process.env.NEXT_PUBLIC_API_URL!\n",
				Good: "\"use client\"\nexport const url = process.env.NEXT_PUBLIC_API_URL!\n", At: "app/map.tsx:2"},
		},
	},
	{
		ID: "scan-dynamic", Level: Info, What: "a read whose variable cannot be known",
		Why: "A computed name, or the whole environment handed to something, may be a read of any variable. The scan says where, so that \"nothing reads it\" can be judged.",
		Fix: "Nothing, if it is meant. A list of names in the code can be found.",
		Examples: []Example{
			{Scan: true, Schema: "# @optional\nAPI_URL=\n", File: "lib/env.ts", Bad: "export const get = (name: string) => process.env[name]\nexport const url = process.env.API_URL!\n", Good: "export const url = process.env.API_URL!\n"},
		},
	},
}
