package drive

// Control codes of DeviceIoControl (winioctl.h, ntddscsi.h, usbioctl.h).
const (
	QueryProperty      = 0x002d1400 // IOCTL_STORAGE_QUERY_PROPERTY
	GetDeviceNumber    = 0x002d1080 // IOCTL_STORAGE_GET_DEVICE_NUMBER
	CheckVerify        = 0x002d0800 // IOCTL_STORAGE_CHECK_VERIFY2
	ManageDataSet      = 0x002d9404 // IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES
	GetGeometry        = 0x000700a0 // IOCTL_DISK_GET_DRIVE_GEOMETRY_EX
	GetLayout          = 0x00070050 // IOCTL_DISK_GET_DRIVE_LAYOUT_EX
	IsWritable         = 0x00070024 // IOCTL_DISK_IS_WRITABLE
	UpdateProperties   = 0x00070140 // IOCTL_DISK_UPDATE_PROPERTIES
	GetSCSIAddress     = 0x00041018 // IOCTL_SCSI_GET_ADDRESS
	GetVolumeExtents   = 0x00560000 // IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS
	GetConnection      = 0x0022045c // IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX_V2
	GetOldConnection   = 0x00220448 // IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX
	GetConnector       = 0x00220458 // IOCTL_USB_GET_PORT_CONNECTOR_PROPERTIES
	GetDescriptor      = 0x00220410 // IOCTL_USB_GET_DESCRIPTOR_FROM_NODE_CONNECTION
	LockVolume         = 0x00090018 // FSCTL_LOCK_VOLUME
	DismountVolume     = 0x00090020 // FSCTL_DISMOUNT_VOLUME
	SetSparse          = 0x000900c4 // FSCTL_SET_SPARSE
	SetZeroData        = 0x000980c8 // FSCTL_SET_ZERO_DATA
	descriptorQuestion = 12         // sizeof STORAGE_PROPERTY_QUERY
)

// EncodeQuery makes STORAGE_PROPERTY_QUERY for StorageDeviceProperty with
// PropertyStandardQuery, which are 0: the question of QueryProperty that
// DecodeDescriptor reads the answer to.
func EncodeQuery() []byte { return make([]byte, descriptorQuestion) }

// Key is DEVPROPKEY: a property of a device (devpkey.h).
type Key struct {
	GUID [16]byte // as it lies in memory
	ID   uint32
}

// The properties that are asked for.
var (
	KeyService       = Key{device, 6}  // the driver's name
	KeyAddress       = Key{device, 30} // of a USB device: the port of its hub
	KeyLocationPaths = Key{device, 37} // see Port
	KeyInstanceID    = Key{[16]byte{0xc8, 0x4f, 0xc3, 0x78, 0x4a, 0x10, 0xca, 0x4a, 0x9e, 0xa4, 0x52, 0x4d, 0x52, 0x99, 0x6e, 0x57}, 256}
	KeyLastArrival   = Key{[16]byte{0x26, 0x63, 0xda, 0x83, 0xa6, 0x97, 0x88, 0x40, 0x94, 0x53, 0xa1, 0x92, 0x3f, 0x57, 0x3b, 0x29}, 102} // FILETIME

	device = [16]byte{0x4e, 0x25, 0x5c, 0xa4, 0x1c, 0xdf, 0xfd, 0x4e, 0x80, 0x20, 0x67, 0xd1, 0x46, 0xa8, 0x50, 0xe0}
)
