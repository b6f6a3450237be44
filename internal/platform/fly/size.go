package fly

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/superfly/fly-go"

	"github.com/opsctl/opsctl/internal/errs"
)

// What a machine without a size of its own gets, as `fly launch` has it.
const defaultSize = "shared-cpu-1x:1gb"

// Limits of memory for each CPU, in megabytes; more comes in steps.
const (
	memoryStep        = 256
	maxMemoryShared   = 2048
	maxMemoryDedicate = 8192
)

// Sizes are the names of machine sizes without a graphics card, the small ones
// first. A name may be followed by the memory: "shared-cpu-2x:1gb".
func Sizes() []string {
	var out []string
	for name, g := range fly.MachinePresets {
		if g.GPUKind == "" {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		x, y := fly.MachinePresets[a], fly.MachinePresets[b]
		return cmp.Or(cmp.Compare(y.CPUKind, x.CPUKind), cmp.Compare(x.CPUs, y.CPUs)) // shared before performance
	})
	return out
}

// parseSize reads the name of a size, with or without memory.
func parseSize(size string) (*fly.MachineGuest, error) {
	name, memory, more := strings.Cut(size, ":")
	preset, ok := fly.MachinePresets[name]
	if !ok {
		return nil, errs.New(errs.Usage, "Fly.io has no size %q", size).
			WithHint("it has %s; with memory: shared-cpu-1x:512mb", strings.Join(Sizes(), ", "))
	}
	g := *preset
	if !more {
		return &g, nil
	}
	mb, ok := parseMemory(memory)
	least, most := fly.MIN_MEMORY_MB_PER_SHARED_CPU*g.CPUs, maxMemoryShared*g.CPUs
	if g.CPUKind != "shared" {
		least, most = fly.MIN_MEMORY_MB_PER_CPU*g.CPUs, maxMemoryDedicate*g.CPUs
	}
	if !ok || mb < least || mb > most || mb%memoryStep != 0 {
		return nil, errs.New(errs.Usage, "size %q: a %s has between %s and %s of memory, in steps of %s", size, name, memoryWord(least), memoryWord(most), memoryWord(memoryStep)).
			WithHint("such as %s:%s", name, memoryWord(min(2*least, most)))
	}
	g.MemoryMB = mb
	return &g, nil
}

// sizeOf names a size, the memory only when it is not what comes with it.
func sizeOf(g *fly.MachineGuest) string {
	if g == nil {
		return ""
	}
	name := g.ToSize()
	if preset, ok := fly.MachinePresets[name]; ok && preset.MemoryMB == g.MemoryMB {
		return name
	}
	return name + ":" + memoryWord(g.MemoryMB)
}

// canonicalSize is a size in the one way that sizeOf spells it.
func canonicalSize(size string) string {
	if g, err := parseSize(size); err == nil {
		return sizeOf(g)
	}
	return size
}

// resize gives a config another size. Other settings of the guest, such as kernel
// arguments, stay. A size that is not understood changes nothing: parseSize has
// been asked before.
func resize(c *fly.MachineConfig, size string) {
	g, err := parseSize(size)
	if err != nil {
		return
	}
	if c.Guest != nil {
		kept := *c.Guest
		kept.CPUKind, kept.CPUs, kept.MemoryMB, kept.GPUKind, kept.GPUs = g.CPUKind, g.CPUs, g.MemoryMB, g.GPUKind, g.GPUs
		g = &kept
	}
	c.Guest = g
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[metaSize] = size
}

// sizeText is a config's size, spelled as it was asked for.
func sizeText(c *fly.MachineConfig) string {
	size := sizeOf(c.Guest)
	if asked := c.Metadata[metaSize]; asked != "" && canonicalSize(asked) == size {
		return asked
	}
	return size
}
