package compose

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// published is where the app is to be reached: the option, what the compose file
// publishes of the app's service, or the default.
func (p *Platform) published(app string) (string, error) {
	if p.o.Publish != "" {
		_, _, err := hostPort(p.o.Publish)
		return p.o.Publish, err
	}
	file, err := p.composeFile(app)
	if err != nil {
		return "", err
	}
	if file != nil && file.publish != "" {
		return file.publish, nil
	}
	if p.o.Port > 0 {
		return fmt.Sprintf("127.0.0.1:%d", p.o.Port), nil
	}
	return DefaultPublish, nil
}

// publishedNow is where the front that there is listens; without one, where it will.
func (p *Platform) publishedNow(app string, have *container) (string, error) {
	if have != nil {
		return have.Config.Labels[labelPublish], nil
	}
	return p.published(app)
}

// address is a URL for people: of an engine elsewhere, with that machine's name.
func (p *Platform) address(published string) string {
	host, port, err := hostPort(published)
	if err != nil {
		return ""
	}
	switch host {
	case "", "0.0.0.0", "::", "*":
		host = "localhost"
		if v, ok := p.o.Lookup("DOCKER_HOST"); ok {
			if u, err := url.Parse(v); err == nil && (u.Scheme == "ssh" || u.Scheme == "tcp" || u.Scheme == "https") && u.Hostname() != "" {
				host = u.Hostname()
			}
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// ensureFront makes or starts the front. One that speaks another protocol, or
// publishes another address, is made anew, which is a gap of a moment.
func (p *Platform) ensureFront(ctx context.Context, app string, have *container, report platform.Report) error {
	publish, err := p.published(app)
	if err != nil {
		return err
	}
	if have != nil {
		l := have.Config.Labels
		if l[labelFront] == front.Protocol && l[labelPublish] == publish {
			if have.State.Running {
				return nil
			}
			return explain(p.engine.quiet(ctx, "start", have.ID), "start the front of %q", app)
		}
		report("the front is made anew, which is a gap of a moment: %s before, %s now", cmp.Or(l[labelPublish], "another one"), publish)
		if err := p.remove(ctx, have.ID); err != nil {
			return err
		}
	}
	image, err := p.frontImage(ctx)
	if err != nil {
		return err
	}
	config := map[string]string{"image": image, "publish": publish}
	labels := containerLabels(app, "opsctl-front", roleFront, 1, config)
	labels.add(labelFront, front.Protocol)
	labels.add(labelPublish, publish)
	args := append([]string{"run", "--detach", "--name", frontName(app)}, labels...)
	args = append(args, "--network", networkName(app), "--volume", volumeName(app)+":"+front.Dir, "--publish", publish+":"+strconv.Itoa(front.Port),
		"--restart", "unless-stopped", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
	args = append(args, p.logFlags(ctx)...)
	err = p.engine.quiet(ctx, append(args, image, "serve")...)
	if err == nil {
		return nil
	}
	if taken(err) { // an earlier try whose answer was lost
		return explain(p.engine.quiet(ctx, "start", frontName(app)), "start the front of %q", app)
	}
	// A container that could not be started is there all the same, and in the way.
	_ = p.remove(context.WithoutCancel(ctx), frontName(app)) // the first error is the one to tell
	return explain(err, "publish %q at %s", app, publish)
}

// logFlags bound what the engine keeps of a container's output, which it does not of itself.
func (p *Platform) logFlags(ctx context.Context) []string {
	info, err := p.about(ctx)
	if err != nil || info.Logs != "json-file" && info.Logs != "local" {
		return nil
	}
	return []string{"--log-opt", "max-size=20m", "--log-opt", "max-file=5"}
}

// steer tells the front where to send requests, and what else to check.
func (p *Platform) steer(ctx context.Context, app string, c front.Config) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = p.ofProxy(ctx, app, string(raw), "set")
	return explain(err, "tell the front of %q where the app is", app)
}

// drain waits until nothing is under way to containers, for a bounded time.
func (p *Platform) drain(ctx context.Context, app string, names []string, report platform.Report) error {
	if len(names) == 0 {
		return nil
	}
	seconds := strconv.Itoa(max(1, int(p.o.Drain.Seconds())))
	_, err := p.ofProxy(ctx, app, "", append([]string{"drain", seconds}, names...)...)
	if exitOf(err) == front.ExitTimeout {
		report("requests to %s are under way after %s still; they are cut off", strings.Join(names, ", "), p.o.Drain)
		return nil
	}
	return explain(err, "wait for requests to %s", strings.Join(names, ", "))
}

// target is a container as the front knows it.
func target(c container) front.Target {
	r := c.release()
	return front.Target{Name: c.name(), Address: fmt.Sprintf("%s:%d", c.name(), r.Port), Health: r.Health}
}

// config is what the front was told last.
func (s *seen) config() (front.Config, error) {
	var c front.Config
	text, ok := s.dump.Files[front.ConfigFile]
	if !ok {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, errs.Wrap(err, errs.Failure, "read where the front sends requests")
	}
	return c, nil
}

// serving tells whether a container takes traffic.
func (s *seen) serving(name string) bool {
	c, err := s.config()
	return err == nil && slices.ContainsFunc(c.Targets, func(t front.Target) bool { return t.Name == name })
}

// status is what the front's checks saw of a container; nil when it does not check it.
func (s *seen) status(name string) *front.TargetStatus {
	if s.dump.Status == nil {
		return nil
	}
	for i, t := range s.dump.Status.Targets {
		if t.Name == name {
			return &s.dump.Status.Targets[i]
		}
	}
	return nil
}
