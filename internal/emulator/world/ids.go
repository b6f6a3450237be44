package world

import (
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"
)

// idSource makes identifiers from a seed and a clock.
type idSource struct {
	mu  sync.Mutex
	pcg *rand.PCG
	rng *rand.Rand
	now func() time.Time
}

func newIDSource(seed uint64, now func() time.Time) *idSource {
	pcg := rand.NewPCG(seed, 0x6f70736374)
	return &idSource{pcg: pcg, rng: rand.New(pcg), now: now}
}

func (s *idSource) state() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.MarshalBinary()
}

func (s *idSource) setState(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.UnmarshalBinary(b)
}

func (s *idSource) bytes(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rng.UintN(256))
	}
	return b
}

func (s *idSource) hex(n int) string { return hex.EncodeToString(s.bytes((n + 1) / 2))[:n] }

// crockford is the alphabet of a ULID (github.com/ulid/spec).
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func (s *idSource) ulid() string {
	out := make([]byte, 26)
	ms := uint64(s.now().UnixMilli())
	for i := 9; i >= 0; i-- {
		out[i] = crockford[ms&31]
		ms >>= 5
	}
	for i, b := range s.bytes(16) {
		out[10+i] = crockford[b&31]
	}
	return string(out)
}
