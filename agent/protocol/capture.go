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
	FaultUpload                = "upload_failed"           // the image cannot be brought to the server
	FaultExclusion             = "exclusion_invalid"       // line, text, reason
)

// PathUpload is where a host brings the file of a capture, with a ticket for
// its job:
//
//	POST  PathUpload                 UploadRequest → Upload
//	GET   PathUpload/<id>            → Upload: how far it is
//	PATCH PathUpload/<id>            bytes from HeaderOffset on → Upload
//	POST  PathUpload/<id>/publish    PublishRequest → Published
const PathUpload = "/agent/v1/uploads"

// MaxPiece is how many bytes of one PATCH a server takes; where to go on is in
// its answer.
const MaxPiece = 16 << 20

// HeaderOffset says where the bytes of a PATCH begin.
const HeaderOffset = "Upload-Offset"

// UploadRequest begins an upload.
type UploadRequest struct {
	Bytes int64 `json:"bytes"` // of the whole file
}

// Upload is how far an upload is: Offset bytes are on the server's disk.
type Upload struct {
	ID     string `json:"id"`
	Offset int64  `json:"offset"`
}

// PublishRequest makes a whole upload the version that its job asked for. It
// may be repeated.
type PublishRequest struct {
	SHA256 string `json:"sha256"` // lower-case hex of what was sent
}

// Published is the new version.
type Published struct {
	VersionID string `json:"version_id"`
}

// Faults of an upload that are no end: the host begins again where this server
// does not have it, and asks again where bytes of an earlier request came
// meanwhile.
const (
	CodeUploadGone   = "upload_not_found"
	CodeUploadOffset = "upload_offset_mismatch"
)
