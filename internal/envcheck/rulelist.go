package envcheck

// ruleLevels lists the rules that a schema may silence with
// `# opsctl: ignore=RULE reason`, with the level each one reports at.
// A rule may report milder in an environment where it matters less.
var ruleLevels = map[string]Level{}
