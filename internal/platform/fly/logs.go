package fly

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

// The wait between two polls of the log grows while nothing comes.
const (
	logMinWait = 250 * time.Millisecond
	logMaxWait = 4 * time.Second
)

// maxPages bounds how far a call without follow reads on; a busy app can print
// faster than the log is read.
const maxPages = 200

type logPage struct {
	Data []struct {
		Attributes struct {
			Timestamp time.Time `json:"timestamp"`
			Message   string    `json:"message"`
			Level     string    `json:"level"`
			Instance  string    `json:"instance"`
			Region    string    `json:"region"`
		} `json:"attributes"`
	} `json:"data"`
	Meta struct {
		NextToken string `json:"next_token"`
	} `json:"meta"`
}

// Logs polls Fly's log endpoint. The token of each page says where the next
// begins, so that an outage between two polls loses and doubles nothing.
func (p *Platform) Logs(ctx context.Context, app string, q platform.LogQuery, line func(platform.LogLine) error) error {
	var past []platform.LogLine
	token, wait, reading := "", logMinWait, true
	for page := 0; ; page++ {
		lines, next, err := p.logPage(ctx, app, q.Instance, token)
		if err != nil {
			return err
		}
		if next != "" {
			token = next
		}
		switch {
		case reading && len(lines) > 0 && page < maxPages:
			past = append(past, lines...)
			if q.Limit > 0 && len(past) > q.Limit {
				past = past[len(past)-q.Limit:]
			}
			continue
		case reading:
			reading = false
			lines = append(past, lines...)
			past = nil
		}
		for _, l := range lines {
			if err := line(l); err != nil {
				return err
			}
		}
		if !q.Follow {
			return nil
		}
		if wait = min(wait*2, logMaxWait); len(lines) > 0 {
			wait = logMinWait
		}
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (p *Platform) logPage(ctx context.Context, app, instance, token string) ([]platform.LogLine, string, error) {
	query := url.Values{"next_token": {token}}
	if instance != "" {
		query.Set("instance", instance)
	}
	var page logPage
	target := p.api + "/api/v1/apps/" + url.PathEscape(app) + "/logs?" + query.Encode()
	if err := p.call(ctx, http.MethodGet, target, p.tokens.BubblegumHeader(), nil, &page, nil); err != nil {
		return nil, "", explain(err, "read the logs of %q", app)
	}
	lines := make([]platform.LogLine, 0, len(page.Data))
	for _, d := range page.Data {
		a := d.Attributes
		lines = append(lines, platform.LogLine{Time: a.Timestamp, Instance: a.Instance, Region: a.Region, Level: a.Level, Message: a.Message})
	}
	return lines, page.Meta.NextToken, nil
}

// lastLines is the end of a machine's output after a moment (milliseconds since
// 1970); nothing when it cannot be had, since it only illustrates another error.
func (p *Platform) lastLines(ctx context.Context, app, instance string, since int64, n int) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var out []string
	_ = p.Logs(ctx, app, platform.LogQuery{Instance: instance, Limit: n}, func(l platform.LogLine) error {
		if l.Time.UnixMilli() > since {
			out = append(out, l.Message)
		}
		return nil
	})
	return out
}
