package compose

import (
	"archive/tar"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// frontTag names the front's image.
const frontTag = "localhost/opsctl/front:" + front.Protocol

// frontImage is the image of the front, made on the spot when the engine has none:
// of the program that runs, or else, where that is of another system than the
// engine's, of the front's source.
func (p *Platform) frontImage(ctx context.Context) (string, error) {
	here, err := p.imageHere(ctx, frontTag)
	if err != nil {
		return "", err
	}
	if here != nil && here.Config.Labels[labelFront] == front.Protocol {
		return frontTag, nil
	}
	info, err := p.about(ctx)
	if err != nil {
		return "", err
	}
	program := p.o.Executable
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return "", fmt.Errorf("find opsctl's own program: %w", err)
		}
	}
	if why := staticFor(program, info.Arch); why != nil {
		if err := p.buildFront(ctx); err != nil {
			return "", errs.Wrap(err, errs.Failure, "build the front from its source, since %v", why).
				WithHint("the engine needs golang from Docker Hub for it, once; or run an opsctl for linux/%s beside the engine", info.Arch)
		}
		return frontTag, nil
	}
	return frontTag, p.importFront(ctx, program)
}

// staticFor tells why a program cannot run in an empty Linux container; nil when it can.
func staticFor(program, arch string) error {
	f, err := elf.Open(program)
	if err != nil {
		return errors.New("this opsctl is no Linux program")
	}
	defer f.Close()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "386": elf.EM_386, "riscv64": elf.EM_RISCV, "s390x": elf.EM_S390, "ppc64le": elf.EM_PPC64}
	if f.Machine != machines[arch] {
		return fmt.Errorf("this opsctl is for %s, and the engine for %s", f.Machine, arch)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("this opsctl is linked with libraries of its machine")
		}
	}
	return nil
}

// importFront makes an image with one file. It takes no builder.
func (p *Platform) importFront(ctx context.Context, program string) error {
	f, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("read opsctl's own program: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	go func() {
		t := tar.NewWriter(out)
		err := t.WriteHeader(&tar.Header{Name: front.Program[1:], Mode: 0o755, Size: info.Size(), Format: tar.FormatPAX})
		if err == nil {
			_, err = io.Copy(t, f)
		}
		out.CloseWithError(errors.Join(err, t.Close()))
	}()
	defer in.Close()
	entry := fmt.Sprintf("ENTRYPOINT [%q, %q]", front.Program, front.Command)
	_, err = p.engine.outOf(ctx, call{stdin: in, args: []string{
		"import", "--change", entry, "--change", "LABEL " + labelFront + "=" + front.Protocol, "-", frontTag,
	}})
	return explain(err, "make the image of the front")
}

// buildFront has the engine build the front's source.
func (p *Platform) buildFront(ctx context.Context) error {
	files, err := front.Source()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "opsctl-front-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // nothing of it is secret, and the engine reads it
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	err = p.engine.quiet(ctx, "build", "--quiet", "--label", labelFront+"="+front.Protocol, "--tag", frontTag, dir)
	return explain(err, "build the image of the front")
}

// hostPort splits an address to publish at, and refuses what is none.
func hostPort(address string) (host, port string, err error) {
	i := strings.LastIndex(address, ":")
	if i < 0 || i == len(address)-1 || strings.Trim(address[i+1:], "0123456789") != "" {
		return "", "", errs.New(errs.Usage, "%q is no address to publish the app at", address).WithHint("give it as host:port, such as %s", DefaultPublish)
	}
	return strings.Trim(address[:i], "[]"), address[i+1:], nil
}
