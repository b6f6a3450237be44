package platformtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// ping asks a Redis server for a PONG: the protocol is two lines, no client is worth it.
func ping(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.Scheme == "rediss" {
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	answers := bufio.NewReader(conn)
	say := func(want string, words ...string) error {
		var text strings.Builder
		fmt.Fprintf(&text, "*%d\r\n", len(words)) // an array: not every server takes words on a line
		for _, w := range words {
			fmt.Fprintf(&text, "$%d\r\n%s\r\n", len(w), w)
		}
		if _, err := fmt.Fprint(conn, text.String()); err != nil {
			return err
		}
		if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
			return fmt.Errorf("%s: %q, %w", words[0], line, err)
		}
		return nil
	}
	if password, ok := u.User.Password(); ok {
		auth := []string{"AUTH", password}
		if name := u.User.Username(); name != "" && name != "default" {
			auth = []string{"AUTH", name, password}
		}
		if err := say("+OK", auth...); err != nil {
			return err
		}
	}
	return say("+PONG", "PING")
}
