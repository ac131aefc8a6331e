package hive

import "time"

// Numbers of the regf specification. Offsets of cell contents count from the payload, behind the cell's size.

const (
	blockSize = 4096       // the base block; bins are multiples of it
	maxBins   = 0x7fffe000 // cell offsets have 31 bits: the highest one marks volatile cells in memory
	none      = ^uint32(0) // an offset that points nowhere
)

// "Base block".
const (
	baseSequence1  = 4
	baseSequence2  = 8
	baseTime       = 12
	baseMajor      = 20
	baseMinor      = 24
	baseType       = 28 // 0: primary file
	baseFormat     = 32 // 1: direct memory load
	baseRoot       = 36
	baseBinsSize   = 40
	baseClustering = 44
	baseName       = 48
	baseNameSize   = 64
	baseChecksum   = 508
)

// "Hive bin".
const (
	binOffset = 4
	binSize   = 8
	binTime   = 20
	binHeader = 32
)

// "Key node".
const (
	nkFlags           = 2
	nkTime            = 4
	nkParent          = 16
	nkSubkeys         = 20 // number
	nkSubkeyList      = 28
	nkVolatileList    = 32
	nkValues          = 36 // number
	nkValueList       = 40
	nkSecurity        = 44
	nkClass           = 48
	nkMaxSubkeyName   = 52 // bytes as UTF-16, in the lower 16 bits; the upper ones are flags since Windows Vista
	nkMaxValueName    = 60 // bytes as UTF-16
	nkMaxValueData    = 64 // bytes
	nkNameLength      = 72
	nkClassLength     = 74
	nkName            = 76
	nkFlagRoot        = 0x0004 | 0x0008 // root of the hive, cannot be deleted
	nkFlagLatin1      = 0x0020
	nkFlagPredefined  = 0x0040 // its value count is something else
	maxKeyName        = 255    // UTF-16 units
	maxDepth          = 512    // levels of keys
	maxLeaf           = 506    // entries of lf, lh or li that fit one 4096-byte bin, as Windows splits them
	maxIndex          = 65535  // entries that a list can count
	listHeader        = 4
	securityHeader    = 20
	securityNext      = 4
	securityPrevious  = 8
	securityCount     = 12
	securitySize      = 16
	maxSecurityLength = 65535
)

// "Key value".
const (
	vkNameLength = 2
	vkDataSize   = 4
	vkDataOffset = 8
	vkType       = 12
	vkFlags      = 16
	vkName       = 20
	vkFlagLatin1 = 0x0001
	vkInline     = 0x80000000 // in vkDataSize: the data lies in vkDataOffset itself
	maxValueName = 16383      // UTF-16 units
)

// MaxValue is the largest data of a value, in bytes, that this package writes. Larger data is cut into segments
// ("Big data") by hives of version 1.4 and above; it is read and deleted, but not written.
const MaxValue = 16344

// "Big data".
const (
	dbSegments = 2
	dbList     = 4
	dbHeader   = 8
)

// checksum is the XOR of the first 508 bytes of a base block, kept off 0 and -1.
func checksum(base []byte) uint32 {
	var sum uint32
	for at := 0; at < baseChecksum; at += 4 {
		sum ^= u32(base, at)
	}
	switch sum {
	case 0:
		return 1
	case ^uint32(0):
		return ^uint32(1)
	}
	return sum
}

// filetime counts 100 ns from 1601; the zero time gives 0.
func filetime(t time.Time) uint64 {
	const secondsTo1970 = 11644473600
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix()+secondsTo1970)*10_000_000 + uint64(t.Nanosecond()/100)
}
