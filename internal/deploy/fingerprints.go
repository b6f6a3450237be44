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
	"strings"

	"github.com/opsctl/opsctl/internal/platform"
)

// Fingerprints remember which secrets this machine has set, without their
// values: a keyed hash of the value, and the digest that the platform gave it.
// The key stays in the same file, which only its owner can read.
type Fingerprints struct {
	path string
	data fingerprintFile
}

// fingerprintFile is what is on disk. Unset are secrets that were unset from here and
// that instances may still have: a platform lists what stands, so of all that waits for
// a roll-out this alone cannot be seen there.
type fingerprintFile struct {
	Key     []byte                 `json:"key"`
	Secrets map[string]fingerprint `json:"secrets"`
	Unset   []string               `json:"unset,omitempty"`
}

type fingerprint struct {
	MAC    []byte `json:"mac"`
	Digest string `json:"digest"` // the platform's
}

// OpenFingerprints reads the fingerprints of an app in dir; a missing or
// unreadable file only means that nothing can be compared.
func OpenFingerprints(dir string) (*Fingerprints, error) {
	f := &Fingerprints{path: filepath.Join(dir, "secrets.json"), data: fingerprintFile{Key: make([]byte, 32), Secrets: map[string]fingerprint{}}}
	if _, err := rand.Read(f.data.Key); err != nil {
		return nil, err
	}
	return f, f.Reload()
}

// Reload reads the file again, which another run may have written since: whoever
// changes it does so under the machine's lock. What was read before stays when there is none.
func (f *Fingerprints) Reload() error {
	src, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the fingerprints of secrets: %w", err)
	}
	data := fingerprintFile{Secrets: map[string]fingerprint{}}
	if err := json.Unmarshal(src, &data); err == nil && len(data.Key) > 0 && data.Secrets != nil {
		f.data = data
	}
	return nil
}

// Compare says how wanted values stand against the secrets that the platform has. A
// secret that waits for a roll-out is in the answer also when nobody here wants it.
func (f *Fingerprints) Compare(wanted map[string]string, have []platform.Secret) map[string]SecretChange {
	out := map[string]SecretChange{}
	for name := range wanted {
		out[name] = SecretNew
	}
	for _, s := range have {
		value, asked := wanted[s.Name]
		known := f.known(s)
		switch {
		case asked && known == nil:
			out[s.Name] = SecretUnknown
		case asked && !hmac.Equal(known, f.mac(s.Name, value)):
			out[s.Name] = SecretChanged
		case s.Pending:
			out[s.Name] = SecretPending
		case asked:
			out[s.Name] = SecretSame
		}
	}
	return out
}

// known is the hash of the value that the platform has; nil when nobody here knows it.
func (f *Fingerprints) known(s platform.Secret) []byte {
	if text, ok := strings.CutPrefix(s.Digest, ownDigest); ok {
		mac, _ := hex.DecodeString(text)
		return mac
	}
	if ours, ok := f.data.Secrets[s.Name]; ok && ours.Digest == s.Digest && s.Digest != "" {
		return ours.MAC
	}
	return nil
}

// ownDigest begins the digests that are made here, of the values that a platform gives back.
const ownDigest = "hmac-sha256:"

// digest is what stands for the digest of a value that can be read.
func (f *Fingerprints) digest(name, value string) string {
	return ownDigest + hex.EncodeToString(f.mac(name, value))
}

// Save remembers values with the platform's digests of them.
func (f *Fingerprints) Save(values map[string]string, have []platform.Secret) error {
	for _, s := range have {
		if value, ok := values[s.Name]; ok {
			f.data.Secrets[s.Name] = fingerprint{MAC: f.mac(s.Name, value), Digest: s.Digest}
		}
	}
	return f.write()
}

// Renewed remembers that every instance was made anew.
func (f *Fingerprints) Renewed() error {
	f.data.Unset = nil
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

// kept tells whether they are on disk.
func (f *Fingerprints) kept() bool {
	_, err := os.Stat(f.path)
	return err == nil
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
func (f *Fingerprints) there(s platform.Secret) string { return short(f.known(s)) }

// short is a hash for people.
func short(mac []byte) string { return hex.EncodeToString(mac[:min(4, len(mac))]) }

func (f *Fingerprints) mac(name, value string) []byte {
	h := hmac.New(sha256.New, f.data.Key)
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(value))
	return h.Sum(nil)
}
