package scaffold

import (
	"io/fs"
	"path"
	"time"
)

// staleTemp is how old a temporary file is that no running init is about to rename.
const staleTemp = time.Minute

// sweep removes the temporary files that a killed run has left.
func (a *applier) sweep(plan []Change) error {
	seen := map[string]bool{}
	for _, c := range plan {
		dir := path.Dir(c.Path)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		names, err := fs.Glob(a.root.FS(), path.Join(dir, ".*.tmp"))
		if err != nil {
			return err
		}
		for _, name := range names {
			info, err := a.root.Lstat(name)
			if err == nil && tempName.MatchString(path.Base(name)) && time.Since(info.ModTime()) > staleTemp {
				if err := ignoreMissing(a.root.Remove(name)); err != nil {
					return cannotWrite(a.root, name, err)
				}
			}
		}
	}
	return nil
}

// tempName matches what replace names its temporary files.
var tempName = lazily(`^\.[^/]+\.[0-9a-f]{12}\.tmp$`)
