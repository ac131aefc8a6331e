package wim

import (
	"bytes"
	"regexp"
	"strconv"
)

// progressLine is how wimlib-imagex tells how far an extraction or a capture is. It
// rounds to whole units, so the percentage is often the finer number.
var progressLine = regexp.MustCompile(`^(?:Extracting|Archiving) file data: (\d+) (bytes|KiB|MiB|GiB|TiB) of (\d+) (bytes|KiB|MiB|GiB|TiB) \((\d+)%\)`)

var units = map[string]int64{"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

// progressWriter takes a program's output and reports the progress lines in
// it, which end in a return or a line feed.
type progressWriter struct {
	report func(done, total int64)
	line   []byte
	done   int64
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexAny(b, "\r\n")
		if end < 0 {
			p.line = append(p.line, b...)
			break
		}
		p.line = append(p.line, b[:end]...)
		p.take()
		b = b[end+1:]
	}
	if len(p.line) > 4096 {
		p.line = p.line[:0]
	}
	return n, nil
}

func (p *progressWriter) take() {
	if done, total, ok := parseProgress(string(p.line)); ok && p.report != nil && done >= p.done {
		p.done = done
		p.report(done, total)
	}
	p.line = p.line[:0]
}

func parseProgress(line string) (done, total int64, ok bool) {
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return 0, 0, false
	}
	done, err1 := strconv.ParseInt(m[1], 10, 40)
	total, err2 := strconv.ParseInt(m[3], 10, 22)
	percent, err3 := strconv.ParseInt(m[5], 10, 8)
	if err1 != nil || err2 != nil || err3 != nil || percent > 100 || done > 1<<22 {
		return 0, 0, false
	}
	done *= units[m[2]]
	total *= units[m[4]]
	return min(max(done, total/100*percent), total), total, true
}
