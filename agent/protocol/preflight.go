package protocol

// Preflight is what a host found out about a stick before its content is
// written. An attempt may report several; a check that is reported again
// replaces the earlier one of its name.
type Preflight struct {
	Checks []Check `json:"checks"`
}

// Check is one thing that was looked at. Its values stand in Params; the
// catalogue has a sentence under "check.<name>".
type Check struct {
	Name    CheckName         `json:"name"`
	Verdict Verdict           `json:"verdict"`
	Params  map[string]string `json:"params,omitempty"`
}

// CheckName names a check.
type CheckName string

// The checks and their parameters.
const (
	CheckIdentity  CheckName = "identity"   // path, port: the device that was confirmed, held exclusively
	CheckSpeed     CheckName = "speed"      // mbps, max_mbps
	CheckTransport CheckName = "transport"  // uasp: "true" or "false"
	CheckRemovable CheckName = "removable"  // removable: "true" or "false", build: of the image's Windows, 0 if unknown
	CheckSectors   CheckName = "sectors"    // sector_size
	CheckTable     CheckName = "table"      // device_bytes, usable_bytes: an MBR counts no further
	CheckCapacity  CheckName = "capacity"   // device_bytes, marks; offset of the first one that was not there
	CheckWriteRate CheckName = "write_rate" // write_rate, need_rate: bytes per second; measured over sample_bytes
	CheckRandomIO  CheckName = "random_io"  // write_iops, read_iops, write_us, read_us, need
	CheckSustained CheckName = "sustained"  // mean_rate, lowest_rate, need_rate: bytes per second, behind the stick's cache
)

// Verdict is what a check came to.
type Verdict string

// The verdicts.
const (
	VerdictOK         Verdict = "ok"
	VerdictWarn       Verdict = "warn"       // goes on
	VerdictRefused    Verdict = "refused"    // the attempt ends
	VerdictOverridden Verdict = "overridden" // would have been refused; an admin let it pass
)

// NewCheck returns a check with parameters given as name, value pairs.
func NewCheck(name CheckName, v Verdict, pairs ...any) Check {
	return Check{Name: name, Verdict: v, Params: NewFault("", pairs...).Params}
}
