package render

import (
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// plainChars need no quotes in a shell, wherever they stand in a word.
const plainChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+"

// reserved are words that a shell takes for its own when they come first.
func reserved() []string {
	return []string{"case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then", "time", "until", "while"}
}

// shellCommand writes a command's arguments as one line that a POSIX shell, and
// whatever splits words as one does, reads back as exactly these: Render's
// preDeployCommand is a line of text.
func shellCommand(argv []string) (string, error) {
	words := make([]string, len(argv))
	for i, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			return "", errs.New(errs.Usage, "argument %d of the release command has a NUL in it", i+1).WithHint("no program can get such an argument")
		}
		words[i] = quote(arg, i == 0 && slices.Contains(reserved(), arg))
	}
	return strings.Join(words, " "), nil
}

func quote(arg string, always bool) string {
	if arg != "" && !always && strings.Trim(arg, plainChars) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
