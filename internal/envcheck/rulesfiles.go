package envcheck

// fileRuleDocs are about files as files.
var fileRuleDocs = []RuleDoc{
	{
		ID: "file", Level: Error, What: "a file cannot be read as text",
		Why: "A .env file that is a directory, a pipe, larger than 16 MiB, without read permission, or that holds a NUL byte or bytes that are not UTF-8, means something else to each program that reads it. It is not checked further; required keys that it may hold are counted as not checked, not as missing.",
		Fix: "Save it as plain UTF-8 text, or put a regular file with KEY=value lines in its place.",
		Examples: []Example{
			{Schema: "# @optional\nCITY=\n", Bad: "CITY=M\xfcnchen", Good: "CITY=München"},
		},
	},
	{
		ID: "duplicate", Level: Error, What: "a key is set twice in a file",
		Why: "Every reader takes the last line, every person the first one that they find. With the same value on both lines it is a warning.",
		Fix: "Keep one line.",
		Examples: []Example{
			{Bad: "PAGE_SIZE=20\nPAGE_SIZE=50", Good: "PAGE_SIZE=50", At: ".env:2"},
			{Bad: "PAGE_SIZE=20\nPAGE_SIZE=20", Good: "PAGE_SIZE=20", At: ".env:2", Level: Warning},
		},
	},
	{
		ID: "node-env", Level: Error, What: "NODE_ENV is set in a file",
		Why: "Next.js sets NODE_ENV itself, before it reads any file: development for next dev, production for next build and next start. Another value there is ignored or breaks next build, and other programs that read the file believe it.",
		Fix: "Remove the line. For a name of the deployment, such as staging, use a variable of your own (APP_ENV).",
		Examples: []Example{
			{Schema: "# @optional\nAPP_ENV=\n", Bad: "NODE_ENV=production", Good: "APP_ENV=staging"},
		},
	},
	{
		ID: "git-tracked", Level: Error, What: "git tracks a file that holds local or production values",
		Why: ".env, .env.production and *.local are where secrets end up. A line in .gitignore does nothing for a file that was added before it, so git is asked (git ls-files), not the ignore file. What was committed once stays in the history of every clone.",
		Fix: "git rm --cached FILE, add it to .gitignore, and replace the secrets it held.",
		Examples: []Example{
			{File: GitFiles, Bad: ".env.local\n.env.schema\npackage.json", Good: ".env.schema\npackage.json", Files: []ExampleFile{{".env.local", "API_KEY=5rJ0kZ2vTq"}}, At: ".env.local:1"},
		},
	},
	{
		ID: "dockerignore", Level: Warning, What: "a .env file would be copied into the image",
		Why: "COPY . . takes .env along, and with it the secrets, for everybody who can pull the image. And Next.js reads it there: with any DB_PASS= line in a shipped .env it expands the dollar signs of the DB_PASS that the platform set, so that pa$word arrives as pa.",
		Fix: "Add .env* to .dockerignore, and !.env.example after it if the build needs that file.",
		Examples: []Example{
			{File: ".dockerignore", Bad: "node_modules", Good: "node_modules\n.env*", Files: []ExampleFile{{"Dockerfile", "FROM node:22\nCOPY . ."}, {".env", "API_KEY=5rJ0kZ2vTq"}}, At: ".env:1"},
		},
	},
}
