package envcheck

import (
	"slices"
	"strings"
)

// withoutComments takes out of a .env what people wrote in it for themselves: the
// old password, the new one, whose it is. No rule tells such a text from a harmless
// one, so that none is taken over; what stays is made of words that are known
// beforehand or stand in a variable's name. It says how many lines were left out.
func withoutComments(blocks []draftBlock) (kept []draftBlock, dropped int) {
	blocks = slices.DeleteFunc(slices.Clone(blocks), func(b draftBlock) bool {
		if b.item == nil || b.item.real() {
			return false
		}
		dropped += 1 + len(b.item.lines)
		return true
	})
	words := nameWords(drafts(blocks))
	gap := false
	for _, b := range blocks {
		lines, marks := b.lines, b.marks
		b.gap = b.gap || gap
		switch {
		case b.item != nil:
			lines, marks = b.item.lines, b.item.marks
			b.item.told, b.item.toldRequired = b.item.said()
			b.item.lines, b.item.marks = nil, slices.DeleteFunc(slices.Clone(marks), isUnsafeMark)
			dropped += len(lines) + len(marks) - len(b.item.marks)
		case b.kind == BlockDivider:
			if !safeDivider(lines[0], words) {
				dropped++
				gap = b.gap
				continue
			}
		default:
			b.lines, b.marks = nil, slices.DeleteFunc(slices.Clone(marks), isUnsafeMark)
			dropped += len(lines) + len(marks) - len(b.marks)
			if len(b.marks) == 0 {
				gap = b.gap
				continue
			}
		}
		gap = false
		kept = append(kept, b)
	}
	return kept, dropped
}

// real tells that a line of a .env names a variable and is not a secret itself:
// a line of base64 ends in =, and one of base32 is in capitals as well.
func (d *draft) real() bool {
	if strings.ContainsAny(d.key, "0123456789") && strings.ToUpper(d.key) != d.key && strings.ToLower(d.key) != d.key || secretKind("", d.key) != "" {
		return false // digits, capitals and small letters together make no name
	}
	if !strings.Contains(d.key, "_") {
		if d.off {
			return slices.Contains(sectionWords, strings.ToLower(d.key)) || slices.Contains(publicNames, d.key)
		}
		return strings.Trim(d.key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" || !mayBeRandom(d.key)
	}
	return !d.off || !slices.ContainsFunc(strings.Split(d.key, "_"), mayBeRandom)
}

// sectionWords are what sections of a .env are called, and variables of one word.
var sectionWords = strings.Fields(`and the api app application auth authentication aws analytics backend billing build cache cdn ci client cloud config
	configuration cors cron database databases db debug deployment development docker domain email environment feature features flags frontend general
	google host integrations internal jobs local logging logs mail messaging misc monitoring network node oauth observability optional other payment
	payments port postgres production public queue queues redis required s3 search secrets security server service services session sessions settings
	smtp sms staging storage test testing tests timeouts tracing url urls user users variables web webhooks worker workers`)

// nameWords are the words that variables' names are made of.
func nameWords(ds []*draft) map[string]bool {
	words := map[string]bool{}
	for _, word := range sectionWords {
		words[word] = true
	}
	for _, d := range ds {
		for part := range strings.SplitSeq(strings.ToLower(d.key), "_") {
			words[part] = true
		}
	}
	return words
}

// safeDivider tells that a divider is a heading and says nothing that is not known anyway.
func safeDivider(line string, words map[string]bool) bool {
	heading := strings.Fields(strings.ToLower(strings.Trim(line, "#-=* \t")))
	return len(heading) > 0 && len(heading) < 6 && !slices.ContainsFunc(heading, func(w string) bool {
		return w != "&" && w != "/" && !words[w]
	})
}

// isUnsafeMark tells that a decorator line may hold any text.
func isUnsafeMark(mark string) bool {
	return slices.ContainsFunc(strings.Fields(mark), func(d string) bool {
		typ, isType := strings.CutPrefix(d, "@type=")
		_, known := typeDefs[typ]
		return !(isType && known) && !slices.Contains(safeMarks, d)
	})
}

var safeMarks = []string{"@required", "@optional", "@sensitive", "@public", "@defaultRequired=true", "@defaultRequired=false", "@defaultRequired=infer",
	"@defaultSensitive=true", "@defaultSensitive=false", "@currentEnv=$NODE_ENV", "@currentEnv=$APP_ENV"}
