// Package envcheck holds the contract for an app's environment: it reads
// .env files the way Next.js and docker compose read them, reads .env.schema
// (the static subset of env-spec, the language of varlock), and reports every
// place where the two do not fit, with file, line and column.
//
// Values of sensitive keys never appear in what the package returns to be
// shown: messages and fixes name a key, a length or a rule, not the value.
package envcheck
