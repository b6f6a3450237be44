package envcheck

import "strings"

// suggest returns the candidate nearest to word when it is near enough to be
// a slip of the keys, else "". Case is ignored.
func suggest(word string, candidates []string) string {
	if len(word) > 100 {
		return ""
	}
	best, bestDist := "", 1+max(1, len(word)/3)
	low := strings.ToLower(word)
	for _, c := range candidates {
		if d := len(c) - len(word); d >= bestDist || -d >= bestDist {
			continue
		}
		d := distance(low, strings.ToLower(c))
		if d < bestDist || d == bestDist && best != "" && c < best {
			best, bestDist = c, d
		}
	}
	return best
}

// didYouMean is suggest as the end of a message.
func didYouMean(word string, candidates []string) string {
	if s := suggest(word, candidates); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}

// distance is the edit distance of a and b with transpositions of neighbours.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
