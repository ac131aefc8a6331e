package vdisk

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Layout of the log of a VHDX ([MS-VHDX] 2.3): a ring of entries, each a whole number of sectors. An entry is a header,
// descriptors behind it, and from the next sector on one sector of data for each descriptor that has any.
const (
	logSector = 4 << 10

	logMagic    = "loge"
	logLength   = 8  // u32, of the entry
	logTail     = 12 // u32, where in the log the oldest entry lies that is still needed
	logSequence = 16 // u64, above 0
	logCount    = 24 // u32, descriptors
	logGUID     = 32 // 16 bytes
	logFlushed  = 48 // u64, how long the file is at least
	logLast     = 56 // u64, how long it is to be
	logHeadSize = 64

	descriptorSize     = 32
	descriptorZero     = "zero"
	descriptorData     = "desc"
	descriptorTrailing = 4  // the data's last 4 bytes
	descriptorLeading  = 8  // the data's first 8 bytes; of zeros, u64, how many
	descriptorOffset   = 16 // u64, in the file
	descriptorSequence = 24 // u64

	dataMagic   = "data"
	dataHigh    = 4    // u32, of the sequence number
	dataContent = 8    // what is between the leading and the trailing bytes
	dataLow     = 4092 // u32
)

const (
	// maxLog bounds the log that is replayed: Hyper-V and qemu make it 1 MiB.
	maxLog = 64 << 20
	// maxUpdates bounds the memory for what a log changes: as many sectors as the largest log has.
	maxUpdates = maxLog / logSector
	// maxDescriptors bounds the work for what a log changes, some of it again and again.
	maxDescriptors = 4 * maxUpdates
	// logEffort is how often the bytes of a log are summed at most: a log of overlapping entries is none that a
	// program wrote.
	logEffort = 8
)

// logReader looks for the entries of one session in a log.
type logReader struct {
	r      io.ReaderAt
	log    region
	guid   [16]byte
	budget int64 // bytes that may still be summed
	seen   bool  // an entry of the session, valid or not
}

// logEntry is a valid entry.
type logEntry struct {
	at       int64 // in the log
	length   int64
	tail     int64
	sequence uint64
	flushed  uint64
	last     uint64
	head     []byte // its header and its descriptors
}

// replay returns the file as it is with the changes that its log holds, and its size ([MS-VHDX] 2.3.3). A file without
// such changes is returned as it is.
func (h header) replay(r io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	if h.logGUID == ([16]byte{}) || h.log.length == 0 {
		return r, size, nil
	}
	if h.log.length > maxLog {
		return nil, 0, refuse(ErrDirtyLog, "a log of %d bytes", h.log.length)
	}
	l := &logReader{r: r, log: h.log, guid: h.logGUID, budget: logEffort * h.log.length}
	active, err := l.active()
	switch {
	case err != nil:
		return nil, 0, err
	case len(active) > 0:
		return l.overlay(active, size)
	case l.seen:
		return nil, 0, refuse(ErrDirtyLog, "none of its entries is valid")
	}
	return r, size, nil
}

// active returns the entries that count: of all runs of entries one behind the other whose last one's tail is among
// them, that with the highest number, from the tail on.
func (l *logReader) active() (best []logEntry, err error) {
	for at := int64(0); ; {
		run, cut, err := l.run(at)
		if err != nil {
			return nil, err
		}
		next := at + logSector
		if needed := fromTail(run); len(needed) > 0 && (len(best) == 0 || needed[len(needed)-1].sequence > best[len(best)-1].sequence) {
			best = needed
		}
		// What begins within a run ends with the same entry. One that begins before the log's oldest entry ends before
		// it has come to its tail: the entries of a full log are looked at once, not once from each of them.
		if len(run) > 0 && !cut {
			last := run[len(run)-1]
			next = last.at + last.length
		}
		// Behind an entry that goes over the end of the log everything was looked at.
		if next <= at || next >= l.log.length {
			return best, nil
		}
		at = next
	}
}

// fromTail is what of a run its last entry needs; nothing, if that is not all there.
func fromTail(run []logEntry) []logEntry {
	for i := range run {
		if run[i].at == run[len(run)-1].tail {
			return run[i:]
		}
	}
	return nil
}

// run reads valid entries with rising numbers from a place on. It is cut where the next one would go over its beginning:
// a run that begins later may have that one, too.
func (l *logReader) run(at int64) (run []logEntry, cut bool, err error) {
	for used := int64(0); used < l.log.length; {
		e, ok, err := l.entry((at + used) % l.log.length)
		if err != nil {
			return nil, false, err
		}
		if !ok || len(run) > 0 && e.sequence != run[len(run)-1].sequence+1 {
			break
		}
		if used += e.length; used > l.log.length {
			return run, true, nil
		}
		run = append(run, e)
	}
	return run, false, nil
}

// entry reads what begins at a place of the log; ok is false if that is no valid entry of the session.
func (l *logReader) entry(at int64) (e logEntry, ok bool, err error) {
	b := make([]byte, logSector)
	if err := l.read(b, at); err != nil {
		return e, false, err
	}
	le := binary.LittleEndian
	if string(b[:4]) != logMagic || [16]byte(b[logGUID:]) != l.guid || le.Uint64(b[logSequence:]) == 0 {
		return e, false, nil
	}
	l.seen = true
	e = logEntry{
		at: at, length: int64(le.Uint32(b[logLength:])), tail: int64(le.Uint32(b[logTail:])),
		sequence: le.Uint64(b[logSequence:]), flushed: le.Uint64(b[logFlushed:]), last: le.Uint64(b[logLast:]),
	}
	heads := headSectors(int64(le.Uint32(b[logCount:]))) * logSector
	if e.length < heads || e.length > l.log.length || e.length%logSector != 0 || e.tail >= l.log.length || e.tail%logSector != 0 {
		return e, false, nil
	}
	if l.budget -= e.length; l.budget < 0 {
		return e, false, refuse(ErrDirtyLog, "its entries overlap")
	}
	want := le.Uint32(b[vhdxChecksum:])
	clear(b[vhdxChecksum : vhdxChecksum+4])
	var sum uint32
	for n := int64(0); n < e.length; n += logSector {
		if n > 0 {
			if err := l.read(b, (at+n)%l.log.length); err != nil {
				return e, false, err
			}
		}
		sum = crc32.Update(sum, castagnoli, b)
		if n < heads {
			e.head = append(e.head, b...)
		}
	}
	return e, sum == want && l.consistent(&e), nil
}

// headSectors is how many sectors the header takes with so many descriptors.
func headSectors(count int64) int64 {
	return (logHeadSize + count*descriptorSize + logSector - 1) / logSector
}

// consistent checks the descriptors ([MS-VHDX] 2.3.1.2 and 2.3.1.3).
func (l *logReader) consistent(e *logEntry) bool {
	le := binary.LittleEndian
	sectors := int64(0)
	for d := range e.descriptors() {
		offset, length := le.Uint64(d[descriptorOffset:]), uint64(logSector)
		switch string(d[:4]) {
		case descriptorData:
			sectors++
		case descriptorZero:
			length = le.Uint64(d[descriptorLeading:])
		default:
			return false
		}
		if le.Uint64(d[descriptorSequence:]) != e.sequence || offset%logSector != 0 || length%logSector != 0 || offset > 1<<62 || length > 1<<62 {
			return false
		}
	}
	return int64(len(e.head))+sectors*logSector == e.length
}

// descriptors goes through the descriptors of an entry.
func (e *logEntry) descriptors() func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		count := int(binary.LittleEndian.Uint32(e.head[logCount:]))
		for i := range count {
			if !yield(e.head[logHeadSize+i*descriptorSize:][:descriptorSize]) {
				return
			}
		}
	}
}

// read reads a sector of the log.
func (l *logReader) read(sector []byte, at int64) error {
	return readFull(l.r, sector, l.log.offset+at)
}

// overlay lays what the entries say over the file.
func (l *logReader) overlay(entries []logEntry, size int64) (io.ReaderAt, int64, error) {
	head := entries[len(entries)-1]
	if head.flushed > uint64(size) {
		return nil, 0, refuse(ErrTruncated, "%d bytes; its log says that it has %d", size, head.flushed)
	}
	if head.last > 1<<62 {
		return nil, 0, corrupt("its log says that it is to have %d bytes", head.last)
	}
	o := &overlaid{r: l.r, file: size, size: max(size, int64(head.last))}
	le, count := binary.LittleEndian, 0
	for i := range entries {
		e := &entries[i]
		data := e.at + int64(len(e.head))
		for d := range e.descriptors() {
			if count++; count > maxDescriptors {
				return nil, 0, refuse(ErrDirtyLog, "more than %d changes", maxDescriptors)
			}
			u := update{at: int64(le.Uint64(d[descriptorOffset:]))}
			u.end = u.at + logSector
			if string(d[:4]) == descriptorZero {
				u.end = u.at + int64(le.Uint64(d[descriptorLeading:]))
			} else {
				u.data = l.log.offset + data%l.log.length
				copy(u.leading[:], d[descriptorLeading:])
				copy(u.trailing[:], d[descriptorTrailing:])
				if err := l.checkData(u.data, e.sequence); err != nil {
					return nil, 0, err
				}
				data += logSector
			}
			if u.end > o.size {
				return nil, 0, corrupt("its log changes it up to %d of %d bytes", u.end, o.size)
			}
			if o.put(u); len(o.updates) > maxUpdates {
				return nil, 0, refuse(ErrDirtyLog, "more than %d changes", maxUpdates)
			}
		}
	}
	return o, o.size, nil
}

// checkData checks that a sector of data was written with its entry ([MS-VHDX] 2.3.1.4).
func (l *logReader) checkData(at int64, sequence uint64) error {
	b := make([]byte, logSector)
	if err := readFull(l.r, b, at); err != nil {
		return err
	}
	le := binary.LittleEndian
	if string(b[:4]) != dataMagic || le.Uint32(b[dataHigh:]) != uint32(sequence>>32) || le.Uint32(b[dataLow:]) != uint32(sequence) {
		return refuse(ErrDirtyLog, "the data at %d is none of entry %d", at, sequence)
	}
	return nil
}

// update is a range of the file that is to be something else: zeros, or a sector whose bytes lie in the log.
type update struct {
	at, end  int64
	data     int64 // offset of the sector in the file's log, 0 for zeros
	leading  [8]byte
	trailing [4]byte
}

// overlaid is a file with updates.
type overlaid struct {
	r       io.ReaderAt
	file    int64    // bytes that are there
	size    int64    // bytes that it is to have; those behind are zeros
	updates []update // by offset, without overlaps
}

// first is the index of the first update that ends behind an offset.
func (o *overlaid) first(at int64) int {
	low, high := 0, len(o.updates)
	for low < high {
		if mid := (low + high) / 2; o.updates[mid].end > at {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// put adds an update, which takes the place of what is there. All begin and end with sectors, so that those with data
// are taken out whole.
func (o *overlaid) put(u update) {
	if u.at >= u.end {
		return
	}
	i := o.first(u.at)
	j := i
	var with []update
	for ; j < len(o.updates) && o.updates[j].at < u.end; j++ {
		if old := o.updates[j]; old.at < u.at {
			with = append(with, update{at: old.at, end: u.at})
		}
	}
	with = append(with, u)
	if j > i && o.updates[j-1].end > u.end {
		with = append(with, update{at: u.end, end: o.updates[j-1].end})
	}
	o.updates = append(o.updates[:i], append(with, o.updates[j:]...)...)
}

// ReadAt implements io.ReaderAt.
func (o *overlaid) ReadAt(p []byte, at int64) (int, error) {
	p, end := within(p, at, o.size)
	for n := 0; n < len(p); {
		part, from := p[n:], at+int64(n)
		i := o.first(from)
		var err error
		switch {
		case i == len(o.updates) || o.updates[i].at >= from+int64(len(part)):
			err = o.base(part, from)
		case o.updates[i].at > from:
			part = part[:o.updates[i].at-from]
			err = o.base(part, from)
		default:
			u := &o.updates[i]
			part = part[:min(int64(len(part)), u.end-from)]
			err = o.updated(part, from-u.at, u)
		}
		if err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), end
}

// base reads what no update covers.
func (o *overlaid) base(p []byte, at int64) error {
	there := min(max(o.file-at, 0), int64(len(p)))
	clear(p[there:])
	return readFull(o.r, p[:there], at)
}

// updated reads from an offset of an update on.
func (o *overlaid) updated(p []byte, in int64, u *update) error {
	if u.data == 0 {
		clear(p)
		return nil
	}
	b := make([]byte, logSector)
	if err := readFull(o.r, b, u.data); err != nil {
		return err
	}
	copy(b, u.leading[:])
	copy(b[logSector-len(u.trailing):], u.trailing[:])
	copy(p, b[in:])
	return nil
}
