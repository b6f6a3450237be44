package world

import (
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisDatabases is how many numbered databases a server has.
const redisDatabases = 16

// redisData is a server's content as it is kept: strings, lists, sets, sorted
// sets, hashes and the entries of streams, with the keys' time to live. A
// stream's consumer groups, the times of single hash fields and HyperLogLogs
// are not kept: the server does not show them.
type redisData struct {
	Keys []redisKey `json:"keys"`
}

type redisKey struct {
	DB      int                `json:"db"`
	Key     []byte             `json:"key"` // keys and values are bytes, not text
	Type    string             `json:"type"`
	Values  [][]byte           `json:"values,omitempty"` // a hash: field, value, field, value, ...
	Scores  []float64          `json:"scores,omitempty"` // of a sorted set's Values
	Stream  []redisStreamEntry `json:"stream,omitempty"`
	Expires *time.Time         `json:"expires,omitempty"`
}

type redisStreamEntry struct {
	ID     string   `json:"id"`
	Values [][]byte `json:"values"`
}

func dumpRedis(srv *miniredis.Miniredis, now time.Time) *redisData {
	out := &redisData{}
	for n := range redisDatabases {
		db := srv.DB(n)
		for _, key := range db.Keys() {
			if k, ok := dumpKey(db, key); ok {
				k.DB = n
				if ttl := db.TTL(key); ttl > 0 {
					at := now.Add(ttl)
					k.Expires = &at
				}
				out.Keys = append(out.Keys, k)
			}
		}
	}
	return out
}

// dumpKey reports false for a key that went away meanwhile or cannot be kept.
func dumpKey(db *miniredis.RedisDB, key string) (redisKey, bool) {
	k := redisKey{Key: []byte(key), Type: db.Type(key)}
	var err error
	var values []string
	switch k.Type {
	case "string":
		var v string
		v, err = db.Get(key)
		values = []string{v}
	case "list":
		values, err = db.List(key)
	case "set":
		values, err = db.Members(key)
	case "hash":
		var fields []string
		fields, err = db.HKeys(key)
		for _, f := range fields {
			values = append(values, f, db.HGet(key, f))
		}
	case "zset":
		var scores map[string]float64
		scores, err = db.SortedSet(key)
		for v, s := range scores {
			values, k.Scores = append(values, v), append(k.Scores, s)
		}
	case "stream":
		var entries []miniredis.StreamEntry
		entries, err = db.Stream(key)
		for _, e := range entries {
			k.Stream = append(k.Stream, redisStreamEntry{e.ID, toBytes(e.Values)})
		}
	default:
		return k, false
	}
	k.Values = toBytes(values)
	return k, err == nil
}

// load puts the content into an empty server; what has expired stays out.
func (d *redisData) load(srv *miniredis.Miniredis) error {
	if d == nil {
		return nil
	}
	for _, k := range d.Keys {
		left := time.Duration(0)
		if k.Expires != nil {
			if left = time.Until(*k.Expires); left <= 0 {
				continue
			}
		}
		db, key := srv.DB(k.DB), string(k.Key)
		if err := loadKey(db, key, k); err != nil {
			return err
		}
		if left > 0 {
			db.SetTTL(key, left)
		}
	}
	return nil
}

func loadKey(db *miniredis.RedisDB, key string, k redisKey) (err error) {
	values := toStrings(k.Values)
	switch k.Type {
	case "string":
		for _, v := range values {
			err = db.Set(key, v)
		}
	case "list":
		_, err = db.Push(key, values...)
	case "set":
		_, err = db.SetAdd(key, values...)
	case "hash":
		for pair := range slices.Chunk(values, 2) {
			db.HSet(key, pair...)
		}
	case "zset":
		for i := 0; i < min(len(values), len(k.Scores)) && err == nil; i++ {
			_, err = db.ZAdd(key, k.Scores[i], values[i])
		}
	case "stream":
		for _, e := range k.Stream {
			if _, err = db.XAdd(key, e.ID, toStrings(e.Values)); err != nil {
				return err
			}
		}
	}
	return err
}

func toBytes(list []string) [][]byte {
	out := make([][]byte, 0, len(list))
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

func toStrings(list [][]byte) []string {
	out := make([]string, 0, len(list))
	for _, b := range list {
		out = append(out, string(b))
	}
	return out
}
