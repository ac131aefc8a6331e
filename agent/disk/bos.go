package disk

import "encoding/binary"

// maxMbps reads a binary object store, which USB devices since 2.1 answer
// with, and returns the fastest speed in Mb/s that it names, or 0 if it names
// none above USB 2. What is cut off or makes no sense ends the reading.
//
// Source: Universal Serial Bus 3.2 Specification, 9.6.2: a BOS header of 5
// bytes, then capabilities, each with its length, 0x10 and its kind.
func maxMbps(bos []byte) int {
	const (
		header         = 5
		typeBOS        = 0x0f
		typeCapability = 0x10
		superSpeed     = 0x03 // 9.6.2.2: wSpeedsSupported at 4, bit 3 is 5 Gb/s
		superSpeedPlus = 0x0a // 9.6.2.5: bmAttributes at 4, sublinks of 4 bytes from 12
	)
	if len(bos) < header || bos[1] != typeBOS {
		return 0
	}
	bos = bos[header:min(len(bos), max(header, int(binary.LittleEndian.Uint16(bos[2:]))))]
	fastest := 0
	for len(bos) >= 3 && bos[0] >= 3 && int(bos[0]) <= len(bos) && bos[1] == typeCapability {
		c := bos[:bos[0]]
		bos = bos[len(c):]
		switch {
		case c[2] == superSpeed && len(c) >= 6 && c[4]&(1<<3) != 0:
			fastest = max(fastest, 5000)
		case c[2] == superSpeedPlus && len(c) >= 12:
			sublinks := int(c[4]&0x1f) + 1
			for i := 0; i < sublinks && 12+4*i+4 <= len(c); i++ {
				fastest = max(fastest, sublinkMbps(binary.LittleEndian.Uint32(c[12+4*i:])))
			}
		}
	}
	return fastest
}

// sublinkMbps reads a sublink speed attribute: a mantissa in the upper half,
// and in bits 4 and 5 its unit: b/s, Kb/s, Mb/s or Gb/s.
func sublinkMbps(a uint32) int {
	mantissa := int(a >> 16)
	switch a >> 4 & 3 {
	case 3:
		return mantissa * 1000
	case 2:
		return mantissa
	}
	return 0 // slower than a megabit: nothing that USB 3 has
}

// learned is what ask found out about a connection: it asks once, and again
// only if that failed, since the answer does not change.
func (l *Lister) learned(connection int64, ask func() (mbps int, err error)) int {
	if speed, known := l.knownSpeed(connection); known {
		return speed
	}
	speed, err := ask()
	if err != nil {
		return 0 // it may be there at the next look
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.speeds == nil || len(l.speeds) > 4096 { // of connections long gone
		l.speeds = map[int64]int{}
	}
	l.speeds[connection] = speed
	return speed
}

// knownSpeed is what learned found out about a connection.
func (l *Lister) knownSpeed(connection int64) (mbps int, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mbps, known = l.speeds[connection]
	return mbps, known
}
