package disk_test

import (
	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/stick"
)

// A Handle is what package stick presses onto, on every system.
var _ stick.Device = (*disk.Handle)(nil)
