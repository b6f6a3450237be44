package envcheck

import (
	"maps"
	"slices"
)

// RuleDoc describes a rule.
type RuleDoc struct {
	ID    string `json:"id"`
	Level Level  `json:"level"` // the worst level it reports at
	What  string `json:"what"`
}

// Rules lists the rules about files and values, by id. Each can be silenced
// for a key with `# opsctl: ignore=RULE reason` above it in the schema. The
// rules about the schema itself (schema-...) cannot be silenced.
func Rules() []RuleDoc {
	var out []RuleDoc
	for _, id := range slices.Sorted(maps.Keys(ruleTable)) {
		r := ruleTable[id]
		out = append(out, RuleDoc{id, r.level, r.what})
	}
	return out
}

type ruleInfo struct {
	level Level
	what  string
}

var ruleTable = map[string]ruleInfo{
	"required":        {Error, "a required key is missing or empty"},
	"type":            {Error, "a value does not fit its type"},
	"empty":           {Info, "an optional key is set but empty"},
	"unknown-key":     {Warning, "a key is not in the schema"},
	"duplicate":       {Error, "a key is set twice in a file"},
	"deprecated":      {Warning, "a deprecated key is set"},
	"node-env":        {Error, "NODE_ENV is set in a file"},
	"file":            {Error, "a file cannot be read as text"},
	"git-tracked":     {Error, "git tracks a file that holds local or production values"},
	"dockerignore":    {Warning, "a .env file would be copied into the image"},
	"placeholder":     {Error, "a value is still a placeholder or the schema's example"},
	"whitespace":      {Warning, "a value begins or ends with white space"},
	"nested-quotes":   {Warning, "a value has quotes inside its quotes"},
	"key-pair":        {Error, "a test key stands beside a live key"},
	"key-mode":        {Error, "a test key in production, or a live key elsewhere"},
	"publishable-key": {Error, "a Clerk publishable key is cut off or of another instance"},
	"swapped-keys":    {Error, "a publishable key and a secret key have changed places"},
	"local-host":      {Error, "a production URL points at this machine or a compose service"},
	"insecure-url":    {Error, "a public production URL is http"},
	"tls":             {Warning, "a database connection over a public network is not encrypted"},
	"test-database":   {Error, "the test database is the real one"},
	"pooling":         {Error, "a pooled URL where a direct one belongs, or the other way round"},
	"url-password":    {Error, "a password in a URL is not percent-encoded"},
	"public-secret":   {Error, "a secret goes into the browser bundle"},
	"build-only":      {Warning, "a build-time secret is in the runtime environment"},
	"build-time":      {Info, "a value that was inlined at build time"},
	"group":           {Error, "half of a pair of keys is set"},
	"base64":          {Error, "a value is not base64 of so many bytes"},
	"hex":             {Error, "a value is not hex of so many bytes"},
	"expires":         {Error, "a value is past its date, or within 30 days of it"},
	"same-host-not":   {Error, "two URLs that must differ are on one host"},

	"E-DOLLAR":        {Error, "Next.js expands a dollar sign that compose keeps"},
	"E-DOLLAR-ESC":    {Error, "an escaped dollar sign that only one reader knows"},
	"E-HASH":          {Error, "Next.js cuts a value at #"},
	"E-HASH-TAB":      {Warning, "a comment after a tab is a value to compose"},
	"E-EMPTY-COMMENT": {Warning, "a comment after = is a value to compose"},
	"E-BOM":           {Warning, "a byte order mark at the start of a file"},
	"E-BACKTICK":      {Warning, "backticks are quotes to Next.js only"},
	"E-ESCAPE":        {Warning, "a backslash in quotes is an escape to compose only"},
	"E-DEFAULT":       {Warning, "a default that Next.js prefers to the file's own value"},
	"E-OPERATOR":      {Error, "an operator in ${...} that Next.js does not know"},
	"E-ADJACENT":      {Error, "two references without braces side by side"},
	"E-FORWARD":       {Warning, "a reference to a variable further down"},
	"E-UNSET":         {Error, "a reference to a variable that is set nowhere, which both readers drop"},
	"E-SELF":          {Error, "a value that refers to itself"},
	"E-SYNTAX":        {Error, "a line on which compose refuses the file"},
	"E-KEY":           {Warning, "a line that only one reader takes for an assignment"},
	"E-BARE":          {Warning, "a key without ="},
	"E-CRLF":          {Warning, "CRLF line ends inside quotes"},
	"E-QUOTE":         {Warning, "quotes that are not read alike"},
}
