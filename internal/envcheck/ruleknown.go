package envcheck

// readBy names who reads a well-known variable, "" for one that only the app can know.
// A family's beginning says less than a whole name, which nothing can be a slip of.
func readBy(key string) (who string, whole bool) {
	for _, k := range KnownVariables() {
		if k.Matches(key) && (who == "" || !k.Family()) {
			who, whole = k.Who, !k.Family()
		}
	}
	return who, whole
}

// unknownFix is the way on for a key that the schema lacks; near is did-you-mean or
// empty. A variable that a package reads is not told to go.
func unknownFix(key, schema, near string) string {
	switch who, whole := readBy(key); {
	case whole || who != "" && near == "":
		return "add " + key + "= to " + schema + ": " + who + " reads it"
	case near != "":
		return near
	}
	return "add " + key + "= to " + schema + ", or remove the line"
}
