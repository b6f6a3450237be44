package health

import (
	"context"
	"sync"
)

const (
	// DefaultParallel is how many checks run at once: enough that a few hundred
	// take as long as the slowest, few enough for the usual limit of open files.
	DefaultParallel = 256
	// largeBodies is how many bodies beyond freeBody are in memory at once.
	largeBodies = 8
)

// ProbeAll runs the checks, at most parallel at once (0 means
// DefaultParallel), and returns the results in the order of the checks.
func (p *Prober) ProbeAll(ctx context.Context, checks []Check, parallel int) []Result {
	return each(p, checks, parallel, func(p *Prober, c Check) Result { return p.Probe(ctx, c) })
}

// WaitAll waits for all checks, each with the same options and its own budget,
// and returns the results in the order of the checks. OnAttempt and Prepare may
// be called concurrently. The error is the context's.
func (p *Prober) WaitAll(ctx context.Context, checks []Check, parallel int, o WaitOptions) ([]WaitResult, error) {
	type end struct {
		w   WaitResult
		err error
	}
	ends := each(p, checks, parallel, func(p *Prober, c Check) end {
		w, err := p.Wait(ctx, c, o)
		return end{w, err}
	})
	out := make([]WaitResult, len(ends))
	var first error
	for i, e := range ends {
		out[i] = e.w
		if first == nil {
			first = e.err
		}
	}
	return out, first
}

func each[T any](p *Prober, checks []Check, parallel int, run func(*Prober, Check) T) []T {
	if parallel <= 0 {
		parallel = DefaultParallel
	}
	q := *p
	q.slots = make(chan []byte, largeBodies)
	for range largeBodies {
		q.slots <- nil // made when first needed
	}
	out := make([]T, len(checks))
	tokens := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, c := range checks {
		tokens <- struct{}{}
		wg.Go(func() {
			defer func() { <-tokens }()
			out[i] = run(&q, c)
		})
	}
	wg.Wait()
	return out
}
