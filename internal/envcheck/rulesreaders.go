package envcheck

// dollarRules are about dollar signs, which readers expand differently.
var dollarRules = []RuleDoc{
	{
		ID: "E-DOLLAR", Level: Error, What: "Next.js expands a dollar sign that compose keeps",
		Why: "Next.js replaces $word by a variable, in single quotes too, and by nothing where there is none: 'pa$word' is pa to Next.js and pa$word to compose. A bcrypt hash becomes empty. Neither says anything (vercel/next.js#13095, #59957, #26822; motdotla/dotenv-expand#101).",
		Fix: "Write \\$ for each dollar sign, in double quotes: the one spelling that both read alike. The plain dotenv package keeps the backslash. Passwords without a dollar sign spare the question.",
		Examples: []Example{
			{Bad: "DB_PASS='pa$word'", Good: "DB_PASS=\"pa\\$word\""},
		},
	},
	{
		ID: "E-DOLLAR-ESC", Level: Error, What: "an escaped dollar sign that only one reader knows",
		Why: "Outside double quotes \\$ is a dollar sign to Next.js only: compose makes pa\\ of pa\\$word. $$ is one to compose only: pa$$word is pa$ in Next.js and pa$word in compose.",
		Fix: "Write \\$ in double quotes.",
		Examples: []Example{
			{Bad: "DB_PASS=pa\\$word", Good: "DB_PASS=\"pa\\$word\""},
		},
	},
	{
		ID: "E-DEFAULT", Level: Warning, What: "a default that Next.js prefers to the file's own value",
		Why: "Next.js takes the default of ${HOST:-localhost} although HOST is set in the same file; compose takes HOST. The two end up at different databases.",
		Fix: "Write the value out, or use ${HOST} without a default.",
		Examples: []Example{
			{Bad: "HOST=db.internal\nREDIS_URL=\"redis://${HOST:-localhost}:6379\"", Good: "HOST=db.internal\nREDIS_URL=\"redis://${HOST}:6379\"", At: ".env:2"},
		},
	},
	{
		ID: "E-OPERATOR", Level: Error, What: "an operator in ${...} that Next.js does not know",
		Why: "compose knows the shell's ${A-x}, ${A:+x} and ${A:?m}. Next.js knows none of them and makes garbage of the rest of the value, such as one:+alt}.",
		Fix: "Write the value out, or use ${A} alone.",
		Examples: []Example{
			{Bad: "REGION=eu\nBUCKET=\"${REGION:+invoices}\"", Good: "REGION=eu\nBUCKET=\"invoices-${REGION}\"", At: ".env:2"},
		},
	},
	{
		ID: "E-ADJACENT", Level: Error, What: "two references without braces side by side",
		Why: "Next.js loses both of $A$B and gives an empty text; compose gives onetwo.",
		Fix: "Put braces around the names: ${A}${B}.",
		Examples: []Example{
			{Bad: "A=one\nB=two\nC=$A$B", Good: "A=one\nB=two\nC=${A}${B}", At: ".env:3"},
		},
	},
	{
		ID: "E-FORWARD", Level: Warning, What: "a reference to a variable further down",
		Why: "Next.js expands after it has read the whole file, compose while it reads: there the variable is not known yet, and the reference is replaced by nothing.",
		Fix: "Move the line below the variable that it refers to.",
		Examples: []Example{
			{Bad: "URL=http://${HOST}/\nHOST=web", Good: "HOST=web\nURL=http://${HOST}/"},
		},
	},
	{
		ID: "E-UNSET", Level: Error, What: "a reference to a variable that is set nowhere, which both readers drop",
		Why: "Both readers agree here, and both are wrong about what was meant: a $ in a password takes everything up to the next sign that no name has, and leaves the rest. For a sensitive key it is an error, for others a warning. No name is printed for a sensitive key: it may be a piece of the password.",
		Fix: "Write \\$ in double quotes for a dollar sign. If a variable is meant, set it, or add it to the schema.",
		Examples: []Example{
			{Schema: "# @sensitive @optional\nDB_PASS=\n", Bad: "DB_PASS=pa$word", Good: "DB_PASS=\"pa\\$word\""},
		},
	},
	{
		ID: "E-SELF", Level: Error, What: "a value that refers to itself",
		Why: "On TOOLS=${TOOLS}:/opt/bin Next.js's expander calls itself until the stack ends, and the whole file is dropped (vercel/next.js#36691). compose gives :/opt/bin.",
		Fix: "Write the value out, or give the result another name.",
		Examples: []Example{
			{Bad: "TOOLS=${TOOLS}:/opt/bin", Good: "TOOLS=/usr/bin:/opt/bin"},
		},
	},
}

// readerRules are about the rest of the syntax that readers do not agree on.
var readerRules = []RuleDoc{
	{
		ID: "E-HASH", Level: Error, What: "Next.js cuts a value at #",
		Why: "Outside quotes Next.js and dotenv take any # for the beginning of a comment, compose only one after a blank: postgresql://u:p#a@h/db is postgresql://u:p to Next.js (motdotla/dotenv#601, still so in version 18).",
		Fix: "Put the value in quotes.",
		Examples: []Example{
			{Bad: "DOCS_URL=https://example.com/#/start", Good: "DOCS_URL=\"https://example.com/#/start\""},
		},
	},
	{
		ID: "E-HASH-TAB", Level: Warning, What: "a comment after a tab is a value to compose",
		Why: "compose wants a blank before the # of a comment. After a tab it takes tab and comment for a part of the value.",
		Fix: "Put a blank before #, or the comment on a line of its own.",
		Examples: []Example{
			{Bad: "REGION=eu\t# Frankfurt", Good: "REGION=eu # Frankfurt"},
		},
	},
	{
		ID: "E-EMPTY-COMMENT", Level: Warning, What: "a comment after = is a value to compose",
		Why: "FOO= # required in production is empty to Next.js and \"# required in production\" to compose: the missing variable looks set.",
		Fix: "Put the comment on a line of its own above the key.",
		Examples: []Example{
			{Bad: "API_KEY= # required in production", Good: "# required in production\nAPI_KEY=5rJ0kZ2vTq"},
		},
	},
	{
		ID: "E-BACKTICK", Level: Warning, What: "backticks are quotes to Next.js only",
		Why: "Next.js and dotenv take `...` for quotes. compose keeps the backticks as part of the value.",
		Fix: "Use single or double quotes.",
		Examples: []Example{
			{Bad: "TITLE=`Invoices and orders`", Good: "TITLE='Invoices and orders'"},
		},
	},
	{
		ID: "E-ESCAPE", Level: Warning, What: "a backslash in quotes is an escape to compose only",
		Why: "In double quotes Next.js turns only \\n and \\r into something else and keeps every other backslash; compose knows \\t, \\\\, \\\" and more. \"C:\\\\Users\" has two backslashes to one and one to the other, and JSON in double quotes keeps its backslashes in Next.js.",
		Fix: "Use single quotes: both readers leave what is in them alone, but for dollar signs.",
		Examples: []Example{
			{Bad: "GREETING=\"say \\\"hi\\\"\"", Good: "GREETING='say \"hi\"'"},
		},
	},
	{
		ID: "E-SYNTAX", Level: Error, What: "a line on which compose refuses the file",
		Why: "compose refuses a file with an open quote, a line that is no assignment, or a key with a blank in it. Next.js skips such lines in silence, or reads on to the next quote and makes one value of everything between.",
		Fix: "Close the quote; start a comment with #; quote the value as a whole.",
		Examples: []Example{
			{Bad: "TITLE=\"Invoices\nREGION=eu", Good: "TITLE=\"Invoices\"\nREGION=eu"},
		},
	},
	{
		ID: "E-KEY", Level: Warning, What: "a line that only one reader takes for an assignment",
		Why: "FOO:bar, FOO[0]=x and FÖÖ=x are variables to compose and nothing to Next.js.",
		Fix: "Write KEY=value. A key is made of letters, digits and _.",
		Examples: []Example{
			{Bad: "REGION:eu", Good: "REGION=eu"},
		},
	},
	{
		ID: "E-BARE", Level: Warning, What: "a key without =",
		Why: "compose takes a bare key from the environment that it runs in, the way docker run -e KEY does. Next.js skips the line.",
		Fix: "Write KEY=value, or remove the line.",
		Examples: []Example{
			{Bad: "REGION", Good: "REGION=eu"},
		},
	},
	{
		ID: "E-CRLF", Level: Warning, What: "CRLF line ends inside quotes",
		Why: "In a value of several lines Next.js turns CRLF into LF, compose keeps the carriage returns.",
		Fix: "Save the file with LF line ends.",
		Examples: []Example{
			{Bad: "NOTICE=\"first\r\nsecond\"", Good: "NOTICE=\"first\nsecond\""},
		},
	},
	{
		ID: "E-BOM", Level: Warning, What: "a byte order mark at the start of a file",
		Why: "Next.js, dotenv and compose skip it. Fly.io's importer makes it a part of the first key, and varlock and godotenv refuse the file.",
		Fix: "Save the file as UTF-8 without BOM.",
		Examples: []Example{
			{Schema: "# @optional\nREGION=\n", Bad: "\ufeffREGION=eu", Good: "REGION=eu"},
		},
	},
	{
		ID: "E-QUOTE", Level: Warning, What: "quotes that are not read alike",
		Why: "Where text follows the closing quote, Next.js takes the quotes for a part of the value, and compose ends the value there and reads the rest as a line of its own.",
		Fix: "Quote the value as a whole, once.",
		Examples: []Example{
			{Bad: "TITLE='Invoices' overview", Good: "TITLE='Invoices overview'"},
		},
	},
}
