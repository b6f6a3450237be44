package deploy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	Unset   []string               `json:"unset,omitempty"` // unset here, and instances may still have them
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
	digests, values := map[string]string{}, map[string]*string{}
	for _, s := range have {
		digests[s.Name], values[s.Name] = s.Digest, s.Value
	}
	out := map[string]SecretChange{}
	for name, value := range wanted {
		digest, set := digests[name]
		known, ours := f.data.Secrets[name]
		switch {
		case !set:
			out[name] = SecretNew
		case values[name] != nil && *values[name] == value:
			out[name] = SecretSame
			if ours && known.Staged && hmac.Equal(known.MAC, f.mac(name, value)) {
				out[name] = SecretStaged
			}
		case values[name] != nil:
			out[name] = SecretChanged
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
	if !staged {
		f.data.Unset = nil // the instances were made anew
	}
	return f.write()
}

// Forget drops secrets that were unset, and remembers that instances which run may
// still have them.
func (f *Fingerprints) Forget(names []string) error {
	for _, name := range names {
		delete(f.data.Secrets, name)
		if !slices.Contains(f.data.Unset, name) {
			f.data.Unset = append(f.data.Unset, name)
		}
	}
	slices.Sort(f.data.Unset)
	return f.write()
}

// Unset lists the secrets that were unset here since the last deploy, and stayed so.
func (f *Fingerprints) Unset(have []platform.Secret) []string {
	return slices.DeleteFunc(slices.Clone(f.data.Unset), func(name string) bool {
		return slices.ContainsFunc(have, func(s platform.Secret) bool { return s.Name == name })
	})
}

func (f *Fingerprints) write() error {
	out, err := json.Marshal(f.data)
	if err != nil {
		return err
	}
	if err := writeFile(f.path, out); err != nil {
		return fmt.Errorf("remember the fingerprints of secrets: %w", err)
	}
	return nil
}

// there is the short form of the value that the platform has, where it is known.
func (f *Fingerprints) there(s platform.Secret) string {
	known, ours := f.data.Secrets[s.Name]
	switch {
	case s.Value != nil:
		return short(f.mac(s.Name, *s.Value))
	case ours && known.Digest == s.Digest:
		return short(known.MAC)
	default:
		return ""
	}
}

// short is a hash for people.
func short(mac []byte) string { return hex.EncodeToString(mac[:4]) }

func (f *Fingerprints) mac(name, value string) []byte {
	h := hmac.New(sha256.New, f.data.Key)
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(value))
	return h.Sum(nil)
}
