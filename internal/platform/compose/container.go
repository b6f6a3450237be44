package compose

import (
	"archive/tar"
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/platform"
)

// spec is a container to make.
type spec struct {
	name    string
	labels  labelSet
	network string
	alias   string   // its name in the network, beside that of the container
	flags   []string // further ones of `create`
	env     map[string]string
	image   string
	command []string
	files   []file // put into it before it starts
}

// file is one that is put into a container.
type file struct {
	path     string // absolute
	content  []byte
	mode     int64
	uid, gid int
}

// create makes a container, without starting it. One of that name that exists
// already is an error for which taken is true.
func (p *Platform) create(ctx context.Context, s spec) error {
	vars, err := passVariables(s.env)
	if err != nil {
		return err
	}
	defer vars.discard()
	args := append([]string{"create", "--name", s.name}, s.labels...)
	args = append(args, "--network", s.network)
	if s.alias != "" {
		args = append(args, "--network-alias", s.alias)
	}
	if !slices.Contains(s.flags, "--log-driver") && !slices.Contains(s.flags, "--log-opt") {
		args = append(args, p.logFlags(ctx)...)
	}
	args = slices.Concat(args, s.flags, vars.args, []string{s.image}, s.command)
	if err := p.engine.do(ctx, call{args: args, env: vars.env}); err != nil {
		return err
	}
	return p.putFiles(ctx, s.name, s.files)
}

// putFiles copies files into a container, by a stream: none of it is on this machine's disk.
func (p *Platform) putFiles(ctx context.Context, name string, files []file) error {
	if len(files) == 0 {
		return nil
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: strings.TrimPrefix(f.path, "/"), Mode: f.mode, Size: int64(len(f.content)), Uid: f.uid, Gid: f.gid}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.content); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return explain(p.engine.do(ctx, call{args: []string{"cp", "-", name + ":/"}, stdin: &b}), "put files into %s", name)
}

// appSpec is a container of the app itself: what the compose file says of its
// service, under what the release says.
func (p *Platform) appSpec(ctx context.Context, app string, r platform.Release, env map[string]string, s secrets) (spec, error) {
	service, err := p.appService(app)
	if err != nil {
		return spec{}, err
	}
	image, err := p.runnable(ctx, r.Image)
	if err != nil {
		return spec{}, err
	}
	all := maps.Clone(service.env)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, env)
	for name, v := range s.values {
		all[name] = v.value
	}
	all["OPSCTL_RELEASE"] = r.Label
	return spec{
		network: networkName(app), flags: slices.Clone(service.flags), env: all, image: image,
		command: service.command, files: service.files,
	}, nil
}

// tail is the end of what a container has printed; nothing when it cannot be had,
// since it only illustrates another error.
func (p *Platform) tail(ctx context.Context, name string, n int) []string {
	var out []string
	past, err := p.past(context.WithoutCancel(ctx), name, n)
	if err != nil {
		return nil
	}
	for _, l := range past {
		out = append(out, l.Message)
	}
	return out
}
