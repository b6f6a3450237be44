package world

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// say sends commands in the inline form of the protocol and returns the answers' first lines.
func say(tb testing.TB, r *Redis, commands ...string) (out []string) {
	tb.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(r.Host, strconv.Itoa(r.Port)))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	rd := bufio.NewReader(conn)
	for _, c := range commands {
		words := strings.Fields(c)
		fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(w), w)
		}
		line, err := rd.ReadString('\n')
		if err != nil {
			tb.Fatalf("%s: %v", c, err)
		}
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "$") && line != "$-1" {
			if line, err = rd.ReadString('\n'); err != nil {
				tb.Fatal(err)
			}
			line = strings.TrimSpace(line)
		}
		out = append(out, line)
	}
	return out
}

func TestRedis(t *testing.T) {
	w := newWorld(t, Options{})
	r, err := w.NewRedis(context.Background(), "cache")
	if err != nil {
		t.Fatal(err)
	}
	if got := say(t, r, "PING", "AUTH wrong", "AUTH default "+r.Password, "SET a b", "GET a"); !strings.HasPrefix(got[0], "-NOAUTH") ||
		!strings.HasPrefix(got[1], "-WRONGPASS") || got[2] != "+OK" || got[3] != "+OK" || got[4] != "b" {
		t.Errorf("answers %q", got)
	}
	if want := fmt.Sprintf("redis://default:%s@127.0.0.1:%d", r.Password, r.Port); r.URL() != want || w.Redis(r.ID) != r {
		t.Errorf("URL %s, want %s; %v", r.URL(), want, w.Redis(r.ID))
	}
	say(t, r, "AUTH "+r.Password, "SET gone soon PX 50")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for say(t, r, "AUTH "+r.Password, "GET gone")[1] != "$-1" {
		if ctx.Err() != nil {
			t.Fatal("a key outlives its time")
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.Stop()
	if w.Redis(r.ID) != nil {
		t.Error("a stopped server is still there")
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort(r.Host, strconv.Itoa(r.Port))); err == nil {
		_ = conn.Close()
		t.Error("a stopped server listens")
	}
}

// What a server keeps over a restart, of each type.
func TestRedisDataRoundTrip(t *testing.T) {
	w := newWorld(t, Options{})
	r, err := w.NewRedis(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	say(t, r, "AUTH "+r.Password, "SET s 1", "SET e 1 EX 1000", "SET x 1 PX 1", "RPUSH l 3 1 2", "SADD set m", "HSET h f v g w", "ZADD z 1.5 one", "XADD st 5-1 k v", "SELECT 3", "SET s three")
	data := dumpRedis(r.srv, time.Now())
	again, err := w.startRedis(context.Background(), &Redis{ID: "2", Name: "b", Password: "pw", Port: r.Port}, data)
	if err != nil {
		t.Fatal(err)
	}
	if again.Port == r.Port {
		t.Error("two servers on one port")
	}
	got := say(t, again, "AUTH pw", "GET s", "GET e", "LINDEX l 0", "SISMEMBER set m", "HGET h g", "ZSCORE z one", "XLEN st", "SELECT 3", "GET s")
	if want := "+OK 1 1 3 :1 w 1.5 :1 +OK three"; strings.Join(got, " ") != want {
		t.Errorf("after the restart %q, want %q", got, want)
	}
	if got := say(t, again, "AUTH pw", "TTL e")[1]; got != ":1000" && got != ":999" && got != ":998" {
		t.Errorf("time to live %s", got)
	}
}
