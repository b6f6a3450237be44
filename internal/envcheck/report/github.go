package report

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// maxAnnotations is how many annotations of one kind GitHub shows of a step. It drops
// the rest without a word.
const maxAnnotations = 10

// writeGitHub writes workflow commands of GitHub Actions, which shows each finding on its
// line of the pull request: errors first, as many as are shown, and what is left as plain
// lines of the log.
func writeGitHub(w io.Writer, r *envcheck.Report, info Info) error {
	var b strings.Builder
	byLevel := map[envcheck.Level][]envcheck.Finding{}
	for _, f := range r.Findings {
		byLevel[f.Level] = append(byLevel[f.Level], f)
	}
	limit := map[envcheck.Level]int{envcheck.Error: maxAnnotations, envcheck.Warning: maxAnnotations, envcheck.Info: maxAnnotations}
	levels := []envcheck.Level{envcheck.Error, envcheck.Warning, envcheck.Info}
	if r.Omitted > 0 || slices.ContainsFunc(levels, func(l envcheck.Level) bool { return len(byLevel[l]) > limit[l] }) {
		limit[envcheck.Info]-- // the last one says how many more there are
	}
	var rest []envcheck.Finding
	for _, l := range levels {
		n := min(len(byLevel[l]), limit[l])
		for _, f := range byLevel[l][:n] {
			b.WriteString(annotation(f, info))
		}
		rest = append(rest, byLevel[l][n:]...)
	}
	if len(rest) > 0 {
		b.WriteString("Not shown as annotations:\n")
	}
	for _, f := range rest {
		// A line that began with :: would be a command, whatever a file is called.
		line := "- " + info.place(f) + " " + string(f.Level) + " " + f.Rule + " " + text(f)
		b.WriteString(strings.NewReplacer("\r", " ", "\n", "; ").Replace(printable(line)) + "\n")
	}
	if n := len(rest) + r.Omitted; n > 0 {
		b.WriteString("::notice title=opsctl::" + strconv.Itoa(n) + " more: GitHub shows " + strconv.Itoa(maxAnnotations) +
			" annotations of a kind for each step; the log of this one has the rest\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// annotation is one workflow command. Its escapes are GitHub's own: percent, carriage
// return and line feed everywhere, colon and comma in a property too.
func annotation(f envcheck.Finding, info Info) string {
	kind := "notice"
	switch f.Level {
	case envcheck.Error:
		kind = "error"
	case envcheck.Warning:
		kind = "warning"
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var props []string
	if f.File != envcheck.ProcessName {
		props = append(props, "file="+property.Replace(printable(info.path(f.File))))
		if f.Line > 0 {
			props = append(props, "line="+strconv.Itoa(f.Line), "col="+strconv.Itoa(f.Col))
		}
	}
	props = append(props, "title="+property.Replace(f.Rule))
	return "::" + kind + " " + strings.Join(props, ",") + "::" + data.Replace(printable(text(f))) + "\n"
}
