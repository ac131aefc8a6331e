/* The structures and constants that package drive knows by number, laid out by
 * a C compiler from the headers of mingw-w64. Each variable has a section of
 * its own, which the test reads from the object file. */
#define _WIN32_WINNT 0x0A00
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <winioctl.h>
#include <ntddscsi.h>
#include <usbioctl.h>
#include <devpropdef.h>
#include <stddef.h>

#define PUT(name) __attribute__((section(name), used, aligned(8)))

/* Keys come in sections .rdata$NAME. */
#define INITGUID
#include <devpkey.h>

struct named { STORAGE_DEVICE_DESCRIPTOR d; char text[64]; };
#define AT(n) (sizeof(STORAGE_DEVICE_DESCRIPTOR) + (n))
PUT("desc") struct named desc = {
	{ .Version = sizeof(STORAGE_DEVICE_DESCRIPTOR), .Size = sizeof(struct named), .RemovableMedia = 1,
	  .VendorIdOffset = AT(0), .ProductIdOffset = AT(16), .SerialNumberOffset = AT(32), .BusType = BusTypeUsb },
	"SanDisk \0......." "Ultra USB 3.0  \0" "4C530001150813\0"
};
PUT("geom") DISK_GEOMETRY_EX geom = { .Geometry = { .BytesPerSector = 4096, .SectorsPerTrack = 63 }, .DiskSize.QuadPart = 30765219840LL };
PUT("num") STORAGE_DEVICE_NUMBER num = { .DeviceType = FILE_DEVICE_DISK, .DeviceNumber = 7, .PartitionNumber = 2 };
PUT("cdrom") STORAGE_DEVICE_NUMBER cdrom = { .DeviceType = FILE_DEVICE_CD_ROM, .DeviceNumber = 0 };
PUT("scsi") SCSI_ADDRESS scsi = { .Length = sizeof(SCSI_ADDRESS), .PortNumber = 3, .PathId = 1, .TargetId = 2, .Lun = 5 };

struct extents { VOLUME_DISK_EXTENTS v; DISK_EXTENT more; };
PUT("extents") struct extents extents = {
	{ .NumberOfDiskExtents = 2, .Extents = { { 3, { .QuadPart = 1048576 }, { .QuadPart = 5000000000LL } } } },
	{ 4, { .QuadPart = 2097152 }, { .QuadPart = 7 } }
};

struct layout { DRIVE_LAYOUT_INFORMATION_EX l; PARTITION_INFORMATION_EX more; };
PUT("mbr") struct layout mbr = {
	{ .PartitionStyle = PARTITION_STYLE_MBR, .PartitionCount = 2, .Mbr.Signature = 0x12345678,
	  .PartitionEntry = { { .PartitionStyle = PARTITION_STYLE_MBR, .StartingOffset.QuadPart = 1048576,
		.PartitionLength.QuadPart = 367001600, .PartitionNumber = 1, .Mbr = { .PartitionType = 0x42, .BootIndicator = TRUE } } } },
	{ .PartitionStyle = PARTITION_STYLE_MBR }
};
PUT("gpt") struct layout gpt = {
	{ .PartitionStyle = PARTITION_STYLE_GPT, .PartitionCount = 2,
	  .PartitionEntry = { { .PartitionStyle = PARTITION_STYLE_GPT, .StartingOffset.QuadPart = 1048576,
		.PartitionLength.QuadPart = 272629760, .Gpt = { .PartitionType =
		{ 0xE75CAF8F, 0xF680, 0x4CEE, { 0xAF, 0xA3, 0xB0, 0x01, 0xE5, 0x6E, 0xFC, 0x2D } } } } } },
	{ .PartitionStyle = PARTITION_STYLE_GPT, .StartingOffset.QuadPart = 273678336, .PartitionLength.QuadPart = 16777216,
	  .Gpt = { .PartitionType = { 0xC12A7328, 0xF81F, 0x11D2, { 0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B } } } }
};

struct trim { DEVICE_MANAGE_DATA_SET_ATTRIBUTES a; DWORD pad; DEVICE_DATA_SET_RANGE range; };
PUT("trim") struct trim trim = {
	{ .Size = sizeof(DEVICE_MANAGE_DATA_SET_ATTRIBUTES), .Action = DeviceDsmAction_Trim,
	  .DataSetRangesOffset = offsetof(struct trim, range), .DataSetRangesLength = sizeof(DEVICE_DATA_SET_RANGE) }, 0,
	{ .StartingOffset = 1048576, .LengthInBytes = 3145728 }
};
PUT("query") STORAGE_PROPERTY_QUERY query = { .PropertyId = StorageDeviceProperty, .QueryType = PropertyStandardQuery };
PUT("conn") USB_NODE_CONNECTION_INFORMATION_EX_V2 conn = { .ConnectionIndex = 4, .Length = sizeof(conn), .SupportedUsbProtocols.Usb300 = 1 };
PUT("conn3") USB_NODE_CONNECTION_INFORMATION_EX_V2 conn3 = { .ConnectionIndex = 17, .Length = sizeof(conn), .SupportedUsbProtocols.Usb300 = 1,
	.Flags = { .DeviceIsOperatingAtSuperSpeedOrHigher = 1, .DeviceIsSuperSpeedCapableOrHigher = 1, .DeviceIsSuperSpeedPlusCapableOrHigher = 1 } };
PUT("conn2") USB_NODE_CONNECTION_INFORMATION_EX_V2 conn2 = { .ConnectionIndex = 4, .Length = sizeof(conn),
	.SupportedUsbProtocols = { .Usb110 = 1, .Usb200 = 1 }, .Flags.DeviceIsSuperSpeedCapableOrHigher = 1 };
PUT("old") USB_NODE_CONNECTION_INFORMATION_EX old = { .ConnectionIndex = 4, .DeviceDescriptor.bcdUSB = 0x0210, .Speed = UsbHighSpeed };

struct connector { USB_PORT_CONNECTOR_PROPERTIES c; WCHAR more[40]; };
PUT("asktor") USB_PORT_CONNECTOR_PROPERTIES asktor = { .ConnectionIndex = 17 };
PUT("contor") struct connector contor = {
	{ .ConnectionIndex = 17, .ActualLength = sizeof(struct connector), .UsbPortProperties.PortIsUserConnectable = 1,
	  .CompanionPortNumber = 3, .CompanionHubSymbolicLinkName = { 'U' } }, L"SB#ROOT_HUB30#4&1b2c3d&0&0#{hub}"
};
PUT("lonely") USB_PORT_CONNECTOR_PROPERTIES lonely = { .ConnectionIndex = 17, .ActualLength = sizeof(lonely) };

/* A binary object store of a device that can do 5 Gb/s (USB 3.2, 9.6.2). */
struct request { USB_DESCRIPTOR_REQUEST r; UCHAR data[15]; };
PUT("askbos") USB_DESCRIPTOR_REQUEST askbos = {
	.ConnectionIndex = 4, .SetupPacket = { .bmRequest = 0x80, .bRequest = 6, .wValue = 0x0f00, .wLength = 255 } };
PUT("bos") struct request bos = {
	{ .ConnectionIndex = 4 }, { 5, 0x0f, 15, 0, 1, 10, 0x10, 3, 0, 0x0e, 0, 1, 10, 0, 1 }
};

PUT("codes") DWORD codes[] = {
	IOCTL_STORAGE_QUERY_PROPERTY, IOCTL_STORAGE_GET_DEVICE_NUMBER, IOCTL_STORAGE_CHECK_VERIFY2,
	IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES, IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, IOCTL_DISK_GET_DRIVE_LAYOUT_EX,
	IOCTL_DISK_IS_WRITABLE, IOCTL_DISK_UPDATE_PROPERTIES, IOCTL_SCSI_GET_ADDRESS, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS,
	IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX_V2, IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX,
	IOCTL_USB_GET_PORT_CONNECTOR_PROPERTIES, IOCTL_USB_GET_DESCRIPTOR_FROM_NODE_CONNECTION,
	FSCTL_LOCK_VOLUME, FSCTL_DISMOUNT_VOLUME, FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA
};
PUT("sizes") DWORD sizes[] = {
	offsetof(STORAGE_DEVICE_DESCRIPTOR, RawDeviceProperties), sizeof(PARTITION_INFORMATION_EX),
	offsetof(DRIVE_LAYOUT_INFORMATION_EX, PartitionEntry), offsetof(USB_NODE_CONNECTION_INFORMATION_EX, PipeList),
	BusTypeUsb, BusTypeRAID, BusTypeiScsi, BusTypeSd, BusTypeMmc, BusTypeVirtual, BusTypeFileBackedVirtual, BusTypeSpaces,
	offsetof(USB_PORT_CONNECTOR_PROPERTIES, CompanionHubSymbolicLinkName), sizeof(USB_DESCRIPTOR_REQUEST)
};
PUT("gone") DWORD gone[] = {
	ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_BAD_UNIT, ERROR_DEV_NOT_EXIST, 433 /* ERROR_NO_SUCH_DEVICE, which mingw lacks */,
	ERROR_DEVICE_NOT_CONNECTED, ERROR_DEVICE_REMOVED, ERROR_FILE_INVALID, ERROR_DEVICE_NOT_AVAILABLE
};
PUT("empty") DWORD empty[] = { ERROR_NOT_READY, ERROR_NO_MEDIA_IN_DRIVE };
