package deploy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opsctl/opsctl/internal/platform"
)

// Fingerprints remember which secrets this machine has set, without their
// values: a keyed hash of the value, and the digest that the platform gave it.
// The key stays in the same file, which only its owner can read.
type Fingerprints struct {
	path string
	data fingerprintFile
}

type fingerprintFile struct {
	Key     []byte                 `json:"key"`
	Secrets map[string]fingerprint `json:"secrets"`
}

type fingerprint struct {
	MAC    []byte `json:"mac"`
	Digest string `json:"digest"`           // the platform's
	Staged bool   `json:"staged,omitempty"` // set, but by a deploy that was not finished
}

// OpenFingerprints reads the fingerprints of an app in dir; a missing or
// unreadable file only means that nothing can be compared.
func OpenFingerprints(dir string) (*Fingerprints, error) {
	f := &Fingerprints{path: filepath.Join(dir, "secrets.json")}
	src, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the fingerprints of secrets: %w", err)
	default:
		_ = json.Unmarshal(src, &f.data)
	}
	if len(f.data.Key) == 0 {
		f.data = fingerprintFile{Key: make([]byte, 32)}
		if _, err := rand.Read(f.data.Key); err != nil {
			return nil, err
		}
	}
	if f.data.Secrets == nil {
		f.data.Secrets = map[string]fingerprint{}
	}
	return f, nil
}

// Compare says how wanted values stand against the secrets that the platform has.
func (f *Fingerprints) Compare(wanted map[string]string, have []platform.Secret) map[string]SecretChange {
	digests := map[string]string{}
	for _, s := range have {
		digests[s.Name] = s.Digest
	}
	out := map[string]SecretChange{}
	for name, value := range wanted {
		digest, set := digests[name]
		known, ours := f.data.Secrets[name]
		switch {
		case !set:
			out[name] = SecretNew
		case !ours || known.Digest != digest:
			out[name] = SecretUnknown
		case !hmac.Equal(known.MAC, f.mac(name, value)):
			out[name] = SecretChanged
		case known.Staged:
			out[name] = SecretStaged
		default:
			out[name] = SecretSame
		}
	}
	return out
}

// Save remembers values with the platform's digests of them: as running now, or
// as staged only, while the deploy that brings them to the app is not finished.
func (f *Fingerprints) Save(values map[string]string, have []platform.Secret, staged bool) error {
	for _, s := range have {
		if value, ok := values[s.Name]; ok {
			f.data.Secrets[s.Name] = fingerprint{MAC: f.mac(s.Name, value), Digest: s.Digest, Staged: staged}
		}
	}
	out, err := json.Marshal(f.data)
	if err != nil {
		return err
	}
	if err := writeFile(f.path, out); err != nil {
		return fmt.Errorf("remember the fingerprints of secrets: %w", err)
	}
	return nil
}

func (f *Fingerprints) mac(name, value string) []byte {
	h := hmac.New(sha256.New, f.data.Key)
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(value))
	return h.Sum(nil)
}
