package pglocal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// logLimit bounds each of the two log files, in bytes.
const logLimit = 4 << 20

// tailLimit is how much of the newest output is kept for an error, in bytes.
const tailLimit = 2 << 10

// logFile is what Postgres says: postgres.log, and postgres.log.1 before it.
// The server writes it, not Postgres, so that its size is bounded.
type logFile struct {
	mu   sync.Mutex
	path string
	f    *os.File
	size int64
	tail []byte
}

func openLog(dir string) (*logFile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the Postgres log directory: %w", err)
	}
	l := &logFile{path: filepath.Join(dir, "postgres.log")}
	return l, l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the Postgres log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open the Postgres log: %w", err)
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write never fails: a full disk must not stop the reading of Postgres's
// output, or Postgres would block on a full pipe.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if n := len(l.tail) - tailLimit; n > 0 {
		l.tail = append(l.tail[:0], l.tail[n:]...)
	}
	if l.f != nil && l.size+int64(len(p)) > logLimit {
		l.f.Close()
		l.f = nil
		_ = os.Rename(l.path, l.path+".1")
	}
	if l.f == nil && l.open() != nil {
		return len(p), nil
	}
	n, _ := l.f.Write(p)
	l.size += int64(n)
	return len(p), nil
}

// Tail is the end of the newest output, for an error message.
func (l *logFile) Tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.tail))
}

// forget empties the tail, so that it belongs to one start.
func (l *logFile) forget() {
	l.mu.Lock()
	l.tail = l.tail[:0]
	l.mu.Unlock()
}

// Close ends the writing; what is written later opens the file again.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
