package envcheck

import "github.com/opsctl/opsctl/internal/errs"

// suggest returns the candidate nearest to word when it is near enough to be
// a slip of the keys, else "". Candidates too long or too short for that are
// left out first: a schema may have thousands of keys.
func suggest(word string, candidates []string) string {
	if len(word) > 100 {
		return ""
	}
	var near []string
	for _, c := range candidates {
		if d := len(c) - len(word); d <= 1+len(word)/3 && -d <= 1+len(word)/3 {
			near = append(near, c)
		}
	}
	return errs.Closest(word, near)
}

// didYouMean is suggest as the end of a message.
func didYouMean(word string, candidates []string) string {
	if s := suggest(word, candidates); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}
