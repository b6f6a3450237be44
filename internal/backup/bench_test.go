package backup

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/execx"
)

// BenchmarkCreate shows throughput and memory on a few hundred MB; run it with
// -benchtime 3x. The memory is this process's peak, so look at one sub-benchmark
// at a time: it must not grow with the data.
func BenchmarkCreate(b *testing.B) {
	url := database(b, "")
	exec(b, url, "CREATE TABLE t AS SELECT i, md5(i::text) || md5((i + 1)::text) AS x, repeat('filler ', 10) AS y, random() AS r FROM generate_series(1, 2000000) i")
	b.Run("pg_dump alone", func(b *testing.B) {
		s, err := parseSource(url)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			err := execx.Run(b.Context(), execx.Cmd{Path: cluster(b).Install().Path("pg_dump"), Args: dumpArgs(""), Env: s.childEnv(), Stdout: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			f := newFixture(b)
			m := f.create(b, url)
			b.SetBytes(m.Totals().PlainBytes)
		}
		b.ReportMetric(peakMiB(b), "peak-MiB")
	})
	b.Run("verify", func(b *testing.B) {
		f := newFixture(b)
		m := f.create(b, url)
		for b.Loop() {
			proven(b, f.verify(b, m.ID))
			b.SetBytes(m.Totals().PlainBytes)
		}
		b.ReportMetric(peakMiB(b), "peak-MiB")
	})
}

// peakMiB is the peak of this process's resident memory, where the system says it.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	return 0
}
