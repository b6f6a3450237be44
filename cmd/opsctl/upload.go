package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// uploadSource is the build context as a tar.gz, without what .dockerignore keeps out
// of a build, .git and node_modules. The same files make the same archive: times and
// owners are left out.
func uploadSource(dir string) (*platform.Source, error) {
	ignore, err := uploadIgnore(dir)
	if err != nil {
		return nil, err
	}
	files, err := uploadFiles(dir, ignore)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	if err := writeTar(hash, dir, files); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() {
			zip := gzip.NewWriter(w)
			w.CloseWithError(errors.Join(writeTar(zip, dir, files), zip.Close()))
		}()
		return r, nil
	}
	return &platform.Source{Identity: "upload:sha256:" + hex.EncodeToString(hash.Sum(nil)), Open: open}, nil
}

func uploadIgnore(dir string) (*patternmatcher.PatternMatcher, error) {
	patterns := []string{"**/.git", "**/node_modules", ".env", ".env.*", "!.env.example", "!.env.schema"}
	for _, name := range []string{".dockerignore", ".railwayignore"} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Usage, "read %s", name)
		}
		more, err := ignorefile.ReadAll(f)
		_ = f.Close()
		if err != nil {
			return nil, errs.Wrap(err, errs.Usage, "read %s", name)
		}
		patterns = append(patterns, more...)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "understand .dockerignore")
	}
	return m, nil
}

// uploadFiles are the regular files below dir that are not ignored, sorted. A link to a
// file within is taken as that file; others are left out.
func uploadFiles(dir string, ignore *patternmatcher.PatternMatcher) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		out, err := ignore.MatchesOrParentMatches(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && out && !ignore.Exclusions():
			return fs.SkipDir
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || out:
			return nil
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "read the build context")
	}
	slices.Sort(files)
	return files, nil
}

func writeTar(w io.Writer, dir string, files []string) error {
	out := tar.NewWriter(w)
	for _, name := range files {
		if err := addFile(out, dir, name); err != nil {
			return errs.Wrap(err, errs.Failure, "pack %s", name)
		}
	}
	return out.Close()
}

func addFile(out *tar.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := out.WriteHeader(&tar.Header{Name: "./" + path.Clean(name), Mode: mode, Size: info.Size(), Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, info.Size())
	return err
}
