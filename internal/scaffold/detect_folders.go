package scaffold

import (
	"maps"
	"slices"
	"strings"
)

// spareFolders are folders at the top that hold a build's output or tests as a rule,
// and that the image's build does not see, unless something refers to them.
var spareFolders = []string{"out", "build", "dist", "test", "docs"}

var (
	// A text such as "../dist/x", "@/test/data" or url(build/x.svg); a bare "test" is a word like any other.
	folderInText = lazily("[\"'`(](?:(?:\\.{1,2}|[@~#])?/)*(out|build|dist|test|docs)/|[\"'`](?:(?:\\.{1,2}|[@~#])/)+(out|build|dist|test|docs)[\"'`]")
	// path.join(process.cwd(), "build", ...)
	folderInJoin = lazily("\\b(?:join|resolve)\\(.*[\"'`](out|build|dist|test|docs)[\"'`]")
	// readdirSync("docs"), dir: "docs"
	folderAsPlace = lazily("\\b(?:readdir|readFile|opendir|glob|exists|access|stat|createReadStream)\\w*\\(\\s*[\"'`](?:\\./)?(out|build|dist|test|docs)[\"'`]|\\b(?:dir|contentDir|contentDirPath|cwd|root|base)\\s*:\\s*[\"'`](?:\\./)?(out|build|dist|test|docs)[\"'`]")
	// node build/x.js, cp -r ./dist; a bare build is a word of next's own.
	folderInScript = lazily(`(?:^|[\s=:/"'])(out|build|dist|test|docs)/|\./(out|build|dist|test|docs)(?:[\s"';&|)]|$)`)

	styleFile = lazily(`\.(css|scss|sass|less|mdx?)$`)
	// What the compiler resolves; outDir and exclude name folders that are not read.
	tsconfigRefs = lazily(`"paths"\s*:\s*\{[^}]*\}|"extends"\s*:\s*"[^"]*"`)
)

// uses notes that a file refers to a spare folder.
func (s *Stack) uses(folder, file string, line int) {
	if slices.Contains(s.UsedFolders, folder) {
		return
	}
	s.UsedFolders = append(s.UsedFolders, folder)
	s.because("image build", "sees "+folder, file, line, "this refers to the folder, so .dockerignore leaves it in")
}

// scanFolders looks for spare folders in a source file.
func (s *Stack) scanFolders(src []byte, file string) {
	for _, pattern := range []lazyRegexp{folderInText, folderInJoin, folderAsPlace} {
		for _, m := range pattern.FindAllSubmatchIndex(src) {
			s.uses(matched(src, m), file, lineAt(src, m[0]))
		}
	}
}

// matched is the text of the one group that took part in a match.
func matched(src []byte, m []int) string {
	for i := 2; i < len(m); i += 2 {
		if m[i] >= 0 {
			return string(src[m[i]:m[i+1]])
		}
	}
	return ""
}

// detectFolders looks where no code is: package.json and the compiler's settings.
func (s *detector) detectFolders(m *manifest) error {
	scripts := append([]string{"prebuild", "build", "postbuild"}, installScripts...)
	for _, name := range scripts {
		script := []byte(m.Scripts[name])
		for _, match := range folderInScript.FindAllSubmatchIndex(script) {
			s.uses(matched(script, match), "package.json", m.line("scripts", name))
		}
	}
	for _, deps := range []map[string]string{m.Dependencies, m.DevDependencies} {
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			path, local := strings.CutPrefix(deps[name], "file:")
			if match := folderInScript.FindSubmatchIndex([]byte(path)); local && match != nil {
				s.uses(matched([]byte(path), match), "package.json", m.depLine(name))
			}
		}
	}
	for _, match := range folderInText.FindAllSubmatchIndex(m.Imports) {
		s.uses(matched(m.Imports, match), "package.json", m.line("", "imports"))
	}
	for _, file := range []string{"tsconfig.json", "jsconfig.json"} {
		src, err := optional(s.app, file)
		if err != nil {
			return err
		}
		for _, part := range tsconfigRefs.FindAllIndex(src) {
			for _, match := range folderInText.FindAllSubmatchIndex(src[part[0]:part[1]]) {
				s.uses(matched(src[part[0]:], match), file, lineAt(src, part[0]+match[0]))
			}
		}
	}
	return nil
}

// Spares tells whether the image's build does without a folder.
func (s *Stack) Spares(folder string) bool { return !slices.Contains(s.UsedFolders, folder) }
