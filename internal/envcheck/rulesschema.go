package envcheck

// schemaRules are about the syntax of the schema and where things stand in it.
var schemaRules = []RuleDoc{
	{
		ID: "schema-syntax", Level: Error, What: "a line of the schema cannot be read",
		Why:      "A schema consists of comments and KEY=value lines. KEY: value, a key without =, an open quote or bracket, and text after a value are refused, as varlock does: a line that is skipped would be a rule that nobody checks.",
		Fix:      "Write KEY= or KEY=value; quote a value that holds brackets or blanks after a quote; begin a comment with #.",
		Examples: []Example{{File: ".env.schema", Bad: "PORT: 8080", Good: "PORT=8080"}},
	},
	{
		ID: "schema-indent", Level: Error, What: "a comment does not start in column 1",
		Why:      "varlock refuses an indented comment, so the whole team's schema would stop loading there.",
		Fix:      "Remove the blanks before #.",
		Examples: []Example{{File: ".env.schema", Bad: "  # The port to listen on.\nPORT=8080", Good: "# The port to listen on.\nPORT=8080"}},
	},
	{
		ID: "schema-encoding", Level: Error, What: "the schema is not plain UTF-8",
		Why: "A NUL byte or bytes that are not UTF-8 are an error; a byte order mark, which varlock refuses, is a warning.",
		Fix: "Save the file as UTF-8 without BOM.",
		Examples: []Example{
			{File: ".env.schema", Bad: "# M\xfcnchen\nPORT=8080", Good: "# München\nPORT=8080"},
			{File: ".env.schema", Bad: "\ufeffPORT=8080", Good: "PORT=8080", Level: Warning},
		},
	},
	{
		ID: "schema-size", Level: Error, What: "the schema is larger than 4 MiB",
		Why:      "No contract for people has that size. The limit keeps a check short, whatever it is given.",
		Fix:      "Name the right file with --schema.",
		Examples: []Example{{File: ".env.schema", Bad: "PORT=8080", Good: "PORT=8080", Pad: 4 << 20}},
	},
	{
		ID: "schema-placement", Level: Error, What: "a decorator or a rule stands where it has no effect",
		Why:      "Decorators of the header belong above the first item and are set off by a blank line or # ---; those of an item stand directly above its key. In the wrong place they would be read as plain comments, and what they ask for would not be checked.",
		Fix:      "Move it; remove the blank line between a decorator and its key.",
		Examples: []Example{{File: ".env.schema", Bad: "# @defaultRequired=false\n# ---\n\nPORT=8080\n\n# @type=port\n\nADMIN_PORT=8081", Good: "# @defaultRequired=false\n# ---\n\nPORT=8080\n\n# @type=port\nADMIN_PORT=8081", At: ".env.schema:6"}},
	},
	{
		ID: "schema-stray", Level: Warning, What: "text among decorators is ignored",
		Why:      "On a line of decorators every word begins with @. Others are skipped, so that a misspelt @ takes a rule away.",
		Fix:      "Put the text on a comment line of its own, or after a # on the same line.",
		Examples: []Example{{File: ".env.schema", Bad: "# @type=port the admin port\nPORT=8080", Good: "# @type=port # the admin port\nPORT=8080"}},
	},
	{
		ID: "schema-note", Level: Warning, What: "a note is written as a decorator",
		Why:      "@todo, @see and @note are read as decorators without effect; varlock warns too.",
		Fix:      "Write it without @.",
		Examples: []Example{{File: ".env.schema", Bad: "# @todo ask operations\nPORT=8080", Good: "# To do: ask operations.\nPORT=8080"}},
	},
	{
		ID: "schema-decorator", Level: Error, What: "a decorator is unknown or written wrongly",
		Why:      "varlock refuses a schema with an unknown decorator, so opsctl's own additions stand in plain comments (# opsctl: ...). A misspelt @required would make a key optional.",
		Fix:      "Take the decorator that is proposed. A comment that begins with @ is written without it.",
		Examples: []Example{{File: ".env.schema", Bad: "# @requird\nPORT=8080", Good: "# @required\nPORT=8080"}},
	},
	{
		ID: "schema-duplicate", Level: Error, What: "a key, a decorator or an option is given twice",
		Why:      "One of the two would win, and the reader of the schema does not know which.",
		Fix:      "Keep one.",
		Examples: []Example{{File: ".env.schema", Bad: "PORT=8080\nPORT=8081", Good: "PORT=8080", At: ".env.schema:2"}},
	},
	{
		ID: "schema-conflict", Level: Error, What: "two decorators exclude each other",
		Why:      "@required with @optional, or @sensitive with @public, says two things about one key. varlock refuses the schema.",
		Fix:      "Keep one of the two.",
		Examples: []Example{{File: ".env.schema", Bad: "# @required @optional\nPORT=8080", Good: "# @required\nPORT=8080"}},
	},
	{
		ID: "schema-deprecated", Level: Warning, What: "an old spelling",
		Why:      "@envFlag=NAME is what @currentEnv=$NAME was once called. Both are understood.",
		Fix:      "Write the new one.",
		Examples: []Example{{File: ".env.schema", Bad: "# @envFlag=APP_ENV\n# ---\n\nAPP_ENV=development", Good: "# @currentEnv=$APP_ENV\n# ---\n\nAPP_ENV=development"}},
	},
	{
		ID: "schema-rule", Level: Error, What: "a # opsctl: comment is written wrongly",
		Why: "These comments carry what env-spec has no decorator for: pair, base64, hex, expires, phase, pooled, direct, allow-local, allow-test-key, same-host-not and ignore. To varlock they are plain text, so only opsctl can find a mistake in one. An ignore without a reason silences nothing, and is a warning.",
		Fix: "Write it as the message says; opsctl env rules lists the rules that ignore= takes.",
		Examples: []Example{
			{File: ".env.schema", Bad: "# opsctl: base64=many\nAUTH_KEY=5rJ0", Good: "# opsctl: base64=3\nAUTH_KEY=5rJ0"},
			{File: ".env.schema", Bad: "# opsctl: ignore=local-host\nPROXY=http://proxy:3128", Good: "# opsctl: ignore=local-host because production runs in compose\nPROXY=http://proxy:3128", Level: Warning},
		},
	},
}

// schemaMeaningRules are about what a schema says.
var schemaMeaningRules = []RuleDoc{
	{
		ID: "schema-missing", Level: Info, What: "there is no schema, and .env.example stands in for it",
		Why:      "A .env.example names the variables and no more: not which are required, of what type, or secret; its values are defaults to one reader and placeholders to another. It is checked against as far as it goes.",
		Fix:      "Make a schema of it: opsctl env schema --from .env.example --write. The example is then made from the schema (opsctl env example).",
		Examples: []Example{{File: ".env.schema", Bad: "", Good: "# @optional\nAPP_URL=", Files: []ExampleFile{{".env.example", "APP_URL="}}, At: ".env.example:1"}},
	},
	{
		ID: "schema-type", Level: Error, What: "a type is unknown or written wrongly",
		Why:      "Nothing is checked of a key whose type is not known, and varlock refuses the schema. There are 16 types; those of plugins cannot be used.",
		Fix:      "Take the type that is proposed.",
		Examples: []Example{{File: ".env.schema", Bad: "# @type=strng\nTITLE=Invoices", Good: "# @type=string\nTITLE=Invoices"}},
	},
	{
		ID: "schema-option", Level: Error, What: "an option that the type does not have, or with a wrong value",
		Why:      "varlock ignores an unknown option in silence: string(minLenght=20) asks for nothing.",
		Fix:      "Take the option that is proposed, with a value of its kind.",
		Examples: []Example{{File: ".env.schema", Bad: "# @type=string(minLenght=3)\nTITLE=Invoices", Good: "# @type=string(minLength=3)\nTITLE=Invoices"}},
	},
	{
		ID: "schema-default", Level: Error, What: "a default does not fit its own type",
		Why:      "The value after KEY= in the schema is what the app gets when no file sets the key. It is held to the same type as a value in a file.",
		Fix:      "Write a default that fits, or use @example for a value that is only to be shown.",
		Examples: []Example{{File: ".env.schema", Bad: "# @type=port\nPORT=80800", Good: "# @type=port\nPORT=8080", At: ".env.schema:2"}},
	},
	{
		ID: "schema-pattern", Level: Error, What: "a regular expression that cannot be used",
		Why: "A $ before a letter expands inside double quotes, and a pattern is a text. Both are errors. Look-around and back-references, which JavaScript has and opsctl's linear-time engine does not, are a warning: that pattern is not checked here, rather than silently taken as matched.",
		Fix: "Write regex('...') in single quotes, and without look-around.",
		Examples: []Example{
			{File: ".env.schema", Bad: "# @type=string(matches=regex([a, b]))\nTITLE=a", Good: "# @type=string(matches=regex(\"^[ab]$\"))\nTITLE=a"},
			{File: ".env.schema", Bad: "# @type=string(matches=regex(\"^(?!test)\"))\nTITLE=Invoices", Good: "# @type=string(matches=regex(\"^[^t]\"))\nTITLE=Invoices", Level: Warning},
		},
	},
	{
		ID: "schema-function", Level: Error, What: "a function is unknown or called wrongly",
		Why: "The pure functions of env-spec are evaluated: ref, concat, fallback, if, ifs, eq, not, isEmpty, forEnv, remap, regex. forEnv() needs to know the environment: without @currentEnv in the header it is an error.",
		Fix: "Take the function that is proposed, with as many arguments as it takes. Quote a text that holds a bracket.",
		Examples: []Example{
			{File: ".env.schema", Bad: "TITLE=concatt(\"a\", \"b\")", Good: "TITLE=concat(\"a\", \"b\")"},
			{File: ".env.schema", Bad: "# @required=forEnv(production)\nAPI_URL=", Good: "# @currentEnv=$APP_ENV\n# ---\n\nAPP_ENV=development\n\n# @required=forEnv(production)\nAPI_URL="},
		},
	},
	{
		ID: "schema-reference", Level: Error, What: "a name that is no item of the schema",
		Why:      "$NAME, @currentEnv=$NAME, pair=NAME and same-host-not=NAME refer to another key. One that does not exist is empty for ever, and a condition on it never holds.",
		Fix:      "Take the name that is proposed, or add the key.",
		Examples: []Example{{File: ".env.schema", Bad: "HOST=localhost\nURL=http://$HOTS/", Good: "HOST=localhost\nURL=http://$HOST/", At: ".env.schema:2"}},
	},
	{
		ID: "schema-cycle", Level: Error, What: "defaults that refer to each other in a circle",
		Why:      "None of them has a value then.",
		Fix:      "Give one of them a value of its own.",
		Examples: []Example{{File: ".env.schema", Bad: "A=$B\nB=$A", Good: "A=one\nB=$A", At: ".env.schema:2"}},
	},
	{
		ID: "schema-import", Level: Error, What: "an import that cannot be followed",
		Why:      "Imported are local files only, and not in a circle. What comes from a network or a package would make the check depend on more than the repository.",
		Fix:      "Write a path that begins with ./ or ../. If the file may be missing, say allowMissing=true.",
		Examples: []Example{{File: ".env.schema", Bad: "# @import(./.env.shared)\n# ---\n\nPORT=8080", Good: "# @import(./.env.shared, allowMissing=true)\n# ---\n\nPORT=8080"}},
	},
	{
		ID: "schema-plugin", Level: Error, What: "something that only varlock's plugins can do",
		Why:      "op(), awsSecret() and other functions and decorators of plugins fetch values over a network. opsctl reads the static part of the language and says so, rather than take the value as missing.",
		Fix:      "Leave the value empty in the schema and set it on the platform.",
		Examples: []Example{{File: ".env.schema", Bad: "API_KEY=opLoad(\"op://vault/item\")", Good: "# @optional\nAPI_KEY="}},
	},
	{
		ID: "schema-command", Level: Error, What: "a value that runs a command",
		Why:      "exec() and $(...) run a program when varlock loads the schema. A check of a pull request from a stranger must not do that.",
		Fix:      "Give the value elsewhere; write \\$ for a dollar sign.",
		Examples: []Example{{File: ".env.schema", Bad: "REVISION=$(git rev-parse HEAD)", Good: "# @optional\nREVISION="}},
	},
	{
		ID: "schema-dynamic", Level: Info, What: "a value that varlock makes at run time",
		Why:      "random*, cache(), keychain() and the like have no value that could be checked: it is taken as present.",
		Fix:      "Nothing, if varlock loads the schema where the app runs. Otherwise the app needs the value from somewhere else.",
		Examples: []Example{{File: ".env.schema", Bad: "REQUEST_SALT=randomUuid()", Good: "# @optional\nREQUEST_SALT="}},
	},
	{
		ID: "node-env-flag", Level: Warning, What: "a condition on an environment that NODE_ENV never names",
		Why: "Next.js runs with NODE_ENV development, production or test, and sets it itself. Where the schema's environment is NODE_ENV, forEnv(staging) is never true: what it asks for is never checked. varlock advises against NODE_ENV as the flag altogether.",
		Fix: "Use a variable of your own: APP_ENV in the schema, @currentEnv=$APP_ENV in its header, and the name of the deployment in its value.",
		Examples: []Example{{File: ".env.schema", Bad: "# @currentEnv=$NODE_ENV\n# ---\n\nNODE_ENV=development\n\n# @required=forEnv(staging)\nAPI_URL=",
			Good: "# @currentEnv=$APP_ENV\n# ---\n\nAPP_ENV=development\n\n# @required=forEnv(staging)\nAPI_URL=", At: ".env.schema:6", Env: "staging",
			Files: []ExampleFile{{".env", "API_URL=https://api.example.com"}}}},
	},
}
