package protocol

// CaptureOptions is what a JobCapture makes, and of what.
type CaptureOptions struct {
	Image   string `json:"image"`             // name of the image that gets a new version; made if there is none
	Version string `json:"version"`           // SemVer
	Channel string `json:"channel,omitempty"` // set to the new version if not empty
	Notes   string `json:"notes,omitempty"`
	// Partition is the number in the source's partition table, from 1; 0 is
	// the only one that holds a Windows.
	Partition int `json:"partition,omitempty"`
	// Exclude is what the image leaves out, as package exclusion reads it.
	Exclude string `json:"exclude"`
}

// CaptureResult is what a capture made.
type CaptureResult struct {
	VersionID string `json:"version_id"`
	SHA256    string `json:"sha256"` // of the image file, lower-case hex
	Bytes     int64  `json:"bytes"`  // of the image file
	ReadBytes int64  `json:"read_bytes"`
	// What the Windows says about itself.
	ProductName string `json:"product_name"`
	ImageState  string `json:"image_state"`
}

// The faults of a capture, with their parameters. Nothing is ever written to
// its source.
const (
	FaultCaptureNoWindows      = "capture_no_windows"      //
	FaultCaptureSeveral        = "capture_several"         // partitions: that hold a Windows
	FaultCaptureBitLocker      = "capture_bitlocker"       // partition
	FaultCaptureHibernated     = "capture_hibernated"      // partition
	FaultCaptureDirty          = "capture_dirty"           // partition
	FaultCaptureNotGeneralized = "capture_not_generalized" // state; may be overridden
	FaultCaptureUndeployable   = "capture_undeployable"    // state
	FaultCaptureCorrupt        = "capture_corrupt"         // detail
	FaultCaptureRead           = "capture_read_failed"     // the source cannot be read
	FaultCaptureFile           = "capture_file"            // path, detail: a virtual disk that cannot be read
	FaultExclusion             = "exclusion_invalid"       // line, text, reason
)
