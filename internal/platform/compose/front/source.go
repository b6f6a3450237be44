package front

import (
	"embed"
	"io/fs"
)

//go:embed balancer.go check.go config.go lock_other.go lock_unix.go main.go proxy.go serve.go source.go store.go
var source embed.FS

// goVersion is what the source asks for.
const goVersion = "1.26"

// Source is a Go module that builds to this front alone, by name of the file: for
// engines whose system is not that of the opsctl at hand.
func Source() (map[string]string, error) {
	files := map[string]string{
		"go.mod": "module front\n\ngo " + goVersion + "\n",
		"main.go": `package main

import (
	"context"
	"os"

	"front/front"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == front.Command {
		args = args[1:]
	}
	os.Exit(front.Main(context.Background(), args, front.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
`,
		// Built where the engine is, for the engine.
		"Dockerfile": `FROM golang:` + goVersion + `-alpine AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /opsctl .
FROM scratch
COPY --from=build /opsctl ` + Program + `
ENTRYPOINT ["` + Program + `", "` + Command + `"]
`,
	}
	entries, err := source.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		raw, err := fs.ReadFile(source, e.Name())
		if err != nil {
			return nil, err
		}
		files["front/"+e.Name()] = string(raw)
	}
	return files, nil
}
