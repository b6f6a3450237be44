package emulator_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
)

// redis sends commands to the server of a URL and returns the answers' first lines.
func redis(address string, commands ...[]string) (out []string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	rd := bufio.NewReader(conn)
	password, _ := u.User.Password()
	for _, words := range append([][]string{{"AUTH", u.User.Username(), password}}, commands...) {
		fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(w), w)
		}
		line, err := rd.ReadString('\n')
		if err == nil && strings.HasPrefix(line, "$") {
			line, err = rd.ReadString('\n')
		}
		if err != nil {
			return out, err
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out, nil
}

// The URL that an add-on has is a server that keeps what it is told, until the
// add-on is deleted.
func TestRedisAddOnAnswers(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	create := func(input map[string]any) (map[string]any, string) {
		return c.query(`mutation($input: CreateAddOnInput!) { createAddOn(input: $input) { addOn { id name publicUrl password status } } }`, map[string]any{"input": input})
	}
	input := map[string]any{"organizationId": "org-personal", "name": "cache", "planId": "plan-payg", "primaryRegion": "fra", "type": "upstash_redis"}
	data, code := create(input)
	if code != "" {
		t.Fatalf("createAddOn: %v %s", data, code)
	}
	data, code = c.query(`query($name: String) { addOn(name: $name) { id name publicUrl password hostname status } }`, map[string]any{"name": "cache"})
	if code != "" {
		t.Fatalf("addOn: %v %s", data, code)
	}
	address := data["addOn"].(map[string]any)["publicUrl"].(string)
	got, err := redis(address, []string{"SET", "a", "1"}, []string{"INCR", "a"}, []string{"GET", "a"})
	if err != nil || fmt.Sprint(got) != "[+OK +OK :2 2]" {
		t.Errorf("%v %v", got, err)
	}
	for key, bad := range map[string]string{"name": "cache", "planId": "plan-none", "organizationId": "org-nobody"} {
		other := map[string]any{"organizationId": "org-personal", "name": "other", "planId": "plan-payg", "primaryRegion": "fra", "type": "upstash_redis"}
		other[key] = bad
		if _, code := create(other); code == "" {
			t.Errorf("%s=%s was accepted", key, bad)
		}
	}
	if data, code := c.query(`mutation { deleteAddOn(input: {name: "cache"}) { deletedAddOnName } }`, nil); code != "" {
		t.Errorf("deleteAddOn: %v %s", data, code)
	}
	if got, err := redis(address); err == nil {
		t.Errorf("a deleted add-on answers %v", got)
	}
}
