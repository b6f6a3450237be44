// Package examples holds the small apps that tests and `opsctl demo` work on, as
// files that can be written anywhere.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The parts are listed one by one, so that what a local install or build leaves
// behind (node_modules, .next) never ends up in the binary.
//
//go:embed erp/.gitignore erp/README.md erp/package.json erp/pnpm-lock.yaml
//go:embed erp/next.config.ts erp/tsconfig.json
//go:embed erp/db erp/public erp/src
var files embed.FS

// ERP is the multi-tenant Next.js app, rooted at its own folder. It holds no file
// that opsctl init writes.
func ERP() fs.FS { return sub("erp") }

// Migrations is the ERP's db/migrations: NNNN_name.sql, to be applied in name order.
func Migrations() fs.FS { return sub("erp/db/migrations") }

// Seed is SQL that fills the ERP's database; it needs the first migration only and
// adds nothing when it is run again.
func Seed() string {
	b, err := files.ReadFile("erp/db/seed.sql")
	if err != nil {
		panic(err) // the file is compiled in
	}
	return string(b)
}

func sub(dir string) fs.FS {
	s, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return s
}

// Write copies every file of src into dir, which it creates. A file that is
// already there is an error: an example is written into an empty place.
func Write(dir string, src fs.FS) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(src, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.FromSlash(path)
		if d.IsDir() {
			return root.MkdirAll(name, 0o755)
		}
		data, err := fs.ReadFile(src, path)
		if err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("write example: %w", err)
		}
		if _, err := f.Write(data); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	})
}
