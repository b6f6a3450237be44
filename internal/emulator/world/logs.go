package world

import (
	"bytes"
	"sync"
	"time"
)

// maxLogLines is how many lines an app keeps; older ones are forgotten.
const maxLogLines = 5000

// maxLineLen cuts a line that a process never ends.
const maxLineLen = 16 << 10

// LogLine is one line that a process or the platform wrote.
type LogLine struct {
	Seq     int64 // 1, 2, 3, ... within an app
	Time    time.Time
	Machine string // machine id
	Region  string
	Source  string // "app" or "runner"
	Message string
}

// Logs is an app's log, a ring of the last lines.
type Logs struct {
	w     *World
	mu    sync.Mutex
	lines []LogLine
	seq   int64
}

func newLogs(w *World) *Logs { return &Logs{w: w} }

func (l *Logs) add(machine, region, source, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	l.lines = append(l.lines, LogLine{l.seq, l.w.Now(), machine, region, source, message})
	if over := len(l.lines) - maxLogLines; over > 0 {
		l.lines = append(l.lines[:0:0], l.lines[over:]...)
	}
}

// After returns the lines with a number above seq, at most limit of them (the
// oldest first; 0 means all), and the number of the last one looked at.
func (l *Logs) After(seq int64, limit int, keep func(LogLine) bool) ([]LogLine, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := seq
	var out []LogLine
	for _, line := range l.lines {
		if line.Seq <= seq {
			continue
		}
		if limit > 0 && len(out) == limit {
			break
		}
		last = line.Seq
		if keep == nil || keep(line) {
			out = append(out, line)
		}
	}
	return out, last
}

// Last is the number of the newest line, 0 when there is none.
func (l *Logs) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// tail returns the last lines, at most n, and the newest line's number.
func (l *Logs) tail(n int) ([]LogLine, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]LogLine(nil), l.lines[max(0, len(l.lines)-n):]...), l.seq
}

// set replaces all lines.
func (l *Logs) set(lines []LogLine, seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines, l.seq = lines, seq
}

// lineWriter cuts a process's output into log lines.
type lineWriter struct {
	mu   sync.Mutex
	buf  []byte
	emit func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte{'\n'})
		rest = after
		for len(w.buf)+len(part) > maxLineLen {
			n := maxLineLen - len(w.buf)
			w.buf = append(w.buf, part[:n]...)
			w.line()
			part = part[n:]
		}
		w.buf = append(w.buf, part...)
		if ended {
			w.line()
		}
	}
	return len(p), nil
}

func (w *lineWriter) line() {
	w.emit(string(bytes.TrimRight(w.buf, "\r")))
	w.buf = w.buf[:0]
}

// flush emits an unfinished last line.
func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) > 0 {
		w.emit(string(w.buf))
		w.buf = w.buf[:0]
	}
}
