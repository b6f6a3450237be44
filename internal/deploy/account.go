package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// accountFile remembers whose credentials deployed an app from this machine.
const accountFile = "account"

// rightAccount refuses credentials of somebody else than the last time: a token of
// another organization in the environment is the usual mistake. named is who the
// caller says it should be; "" for whoever it was.
func (e *Engine) rightAccount(now, named string) error {
	if named != "" {
		if now != named {
			return errs.New(errs.Auth, "these credentials are of %s, and not of %s", now, named).
				WithHint("set the right token, or leave --account out")
		}
		return nil
	}
	src, err := os.ReadFile(filepath.Join(e.StateDir, accountFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was := strings.TrimSpace(string(src)); was != now {
		return errs.New(errs.Auth, "this app was last deployed from here as %s, and these credentials are of %s", was, now).
			WithHint("set the token of %s, or go on as the other: --account %s", was, now)
	}
	return nil
}

// rememberAccount is for the next time; without it nothing is compared.
func (e *Engine) rememberAccount(account string) error {
	return writeFile(filepath.Join(e.StateDir, accountFile), []byte(account+"\n"))
}
