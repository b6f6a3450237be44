package seal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/opsctl/opsctl/internal/errs"
)

// ParseRecipients reads age public keys ("age1..."). Errors are usage errors.
func ParseRecipients(keys []string) ([]age.Recipient, error) {
	var out []age.Recipient
	for _, k := range keys {
		k = strings.TrimSpace(k)
		if strings.HasPrefix(strings.ToUpper(k), "AGE-SECRET-KEY-") {
			return nil, errs.New(errs.Usage, "a recipient is a secret key; only the public key belongs there").
				WithHint("give the key that starts with age1; the secret key stays where backups are verified")
		}
		r, err := age.ParseX25519Recipient(k)
		if err != nil {
			return nil, errs.New(errs.Usage, "recipient %q is not an age public key", k).
				WithHint("it starts with age1; make a pair with: opsctl backup keygen")
		}
		out = append(out, r)
	}
	return out, nil
}

// ParseIdentities reads the secret keys of an identity file: one
// AGE-SECRET-KEY-... a line, # starts a comment. The error never holds the key.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	ids, err := age.ParseIdentities(r)
	if err != nil {
		return nil, errs.New(errs.Usage, "the identity is not an age secret key").
			WithHint("an identity file holds a line that starts with AGE-SECRET-KEY-1, as written by: opsctl backup keygen")
	}
	return ids, nil
}

// KeyPair is a fresh X25519 key pair.
type KeyPair struct {
	Recipient string // public
	identity  string
}

// NewKeyPair makes a key pair from the system's randomness.
func NewKeyPair() (*KeyPair, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return &KeyPair{Recipient: id.Recipient().String(), identity: id.String()}, nil
}

// File is the identity file's content, as age-keygen writes it. It is secret.
func (k *KeyPair) File(now time.Time) string {
	return fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), k.Recipient, k.identity)
}
