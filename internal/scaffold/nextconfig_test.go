package scaffold

import (
	"bytes"
	"strings"
	"testing"
)

func TestAddStandalone(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"create-next-app, TypeScript",
			"import type { NextConfig } from \"next\";\n\nconst nextConfig: NextConfig = {\n  /* config options here */\n};\n\nexport default nextConfig;\n",
			"import type { NextConfig } from \"next\";\n\nconst nextConfig: NextConfig = {\n  output: \"standalone\",\n  /* config options here */\n};\n\nexport default nextConfig;\n"},
		{"create-next-app, JavaScript, empty",
			"/** @type {import('next').NextConfig} */\nconst nextConfig = {};\n\nexport default nextConfig;\n",
			"/** @type {import('next').NextConfig} */\nconst nextConfig = {\n  output: 'standalone',\n};\n\nexport default nextConfig;\n"},
		{"CommonJS literal, tabs, single quotes",
			"module.exports = {\n\treactStrictMode: true,\n\timages: { domains: ['x'] },\n}\n",
			"module.exports = {\n\toutput: 'standalone',\n\treactStrictMode: true,\n\timages: { domains: ['x'] },\n}\n"},
		{"default literal on one line",
			"export default { reactStrictMode: true }\n",
			"export default { output: \"standalone\", reactStrictMode: true }\n"},
		{"satisfies",
			"export default {\n  poweredByHeader: false,\n} satisfies NextConfig;\n",
			"export default {\n  output: \"standalone\",\n  poweredByHeader: false,\n} satisfies NextConfig;\n"},
		{"wrapped by a plug-in",
			"const nextConfig = {\n  a: 1,\n};\nexport default withSentryConfig(withIntl(nextConfig), {\n  org: \"x\",\n});\n",
			"const nextConfig = {\n  output: \"standalone\",\n  a: 1,\n};\nexport default withSentryConfig(withIntl(nextConfig), {\n  org: \"x\",\n});\n"},
		{"regular expressions, templates and braces in strings",
			"const c = {\n  webpack(config) {\n    config.module.rules.push({ test: /\\.[}{]svg$/i });\n    return config;\n  },\n  env: { a: \"}\", b: `{${x}` },\n};\nmodule.exports = c;\n",
			"const c = {\n  output: \"standalone\",\n  webpack(config) {\n    config.module.rules.push({ test: /\\.[}{]svg$/i });\n    return config;\n  },\n  env: { a: \"}\", b: `{${x}` },\n};\nmodule.exports = c;\n"},
		{"Windows line ends",
			"const c = {\r\n  a: 1,\r\n};\r\nexport default c;\r\n",
			"const c = {\r\n  output: \"standalone\",\r\n  a: 1,\r\n};\r\nexport default c;\r\n"},
		{"nested output is another thing",
			"export default {\n  webpack: { output: 'x' },\n}\n",
			"export default {\n  output: 'standalone',\n  webpack: { output: 'x' },\n}\n"},
		{"already there", "export default {\n  output: 'standalone',\n}\n", "export default {\n  output: 'standalone',\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := addStandalone([]byte(tt.in))
			if got.refused != "" {
				t.Fatalf("refused: %s", got.refused)
			}
			if string(got.src) != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got.src, tt.want)
			}
			if again := addStandalone(got.src); again.refused != "" || !bytes.Equal(again.src, got.src) {
				t.Errorf("a second edit changed the file again or was refused (%s)", again.refused)
			}
		})
	}
}

func TestAddStandaloneRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"function", "export default async () => {\n  return { a: 1 };\n};\n", "by hand"},
		{"function by name", "function config(phase) { return {} }\nmodule.exports = config;\n", "by hand"},
		{"static export", "export default {\n  output: 'export',\n};\n", "line 2"},
		{"computed", "export default {\n  output: process.env.X ? 'standalone' : undefined,\n};\n", "line 2"},
		{"spread", "export default {\n  ...base,\n};\n", "by hand"},
		{"assigned later", "const c = {};\nc.output = 'export';\nexport default c;\n", "by hand"},
		{"imported", "import c from './base';\nexport default c;\n", "by hand"},
		{"two exports", "module.exports = {};\nmodule.exports = { a: 1 };\n", "by hand"},
		{"no export", "const c = {};\n", "by hand"},
		{"a choice of two", "const c = {};\nexport default process.env.X ? c : {};\n", "by hand"},
		{"not closed", "export default {\n", "by hand"},
		{"not closed string", "export default { a: 'x\n}\n", "by hand"},
		{"empty", "", "by hand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := addStandalone([]byte(tt.in))
			if !strings.Contains(got.refused, tt.want) {
				t.Errorf("refused = %q, want it to say %q", got.refused, tt.want)
			}
			if string(got.src) != tt.in {
				t.Errorf("a refused file was changed:\n%s", got.src)
			}
		})
	}
}

// Whatever the file holds, an edit only ever inserts: taking the inserted piece out
// again gives the file back.
func FuzzAddStandalone(f *testing.F) {
	f.Add([]byte("const c: NextConfig = {\n  a: 1,\n};\nexport default c;\n"))
	f.Add([]byte("module.exports = withX({ a: `b`, c: /d/ })"))
	f.Add([]byte("export default {}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		got := addStandalone(src)
		if got.refused != "" || bytes.Equal(got.src, src) {
			if !bytes.Equal(got.src, src) {
				t.Fatalf("refused (%s) and changed", got.refused)
			}
			return
		}
		at := bytes.Index(got.src, []byte("output:"))
		if at < 0 {
			t.Fatalf("no output in %q", got.src)
		}
		prefix := 0
		for prefix < len(src) && src[prefix] == got.src[prefix] {
			prefix++
		}
		suffix := 0
		for suffix < len(src)-prefix && src[len(src)-1-suffix] == got.src[len(got.src)-1-suffix] {
			suffix++
		}
		// What is left of the original between the two is the blank inside "{ }" alone.
		if rest := bytes.TrimSpace(src[prefix : len(src)-suffix]); len(rest) > 0 {
			t.Fatalf("the edit took %q out of %q", rest, src)
		}
		if again := addStandalone(got.src); again.refused != "" || !bytes.Equal(again.src, got.src) {
			t.Fatalf("not stable: %q, then %q (%s)", got.src, again.src, again.refused)
		}
	})
}
