package hive

// Mark is what a hive's base block says about its last writing. Every writer
// raises the sequence numbers; logs carry the numbers of the hive that they
// belong to.
type Mark struct {
	Primary   uint32 `json:"primary"`
	Secondary uint32 `json:"secondary"` // differs from Primary while a write is under way
	Written   uint64 `json:"written"`   // FILETIME
}

// ReadMark reads the mark of a hive, or of one of its logs, from the first
// bytes of its file; false means that they are no base block, or a damaged one.
// ("Base block", "Transaction log files".)
func ReadMark(base []byte) (Mark, bool) {
	if len(base) < 512 || string(base[:4]) != "regf" || u32(base, baseChecksum) != checksum(base) {
		return Mark{}, false
	}
	return Mark{
		Primary: u32(base, baseSequence1), Secondary: u32(base, baseSequence2),
		Written: uint64(u32(base, baseTime)) | uint64(u32(base, baseTime+4))<<32,
	}, true
}
