package capture

import (
	"cmp"
	"strconv"

	"github.com/stickpress/stickpress/agent/wim"
)

// architectures are the PROCESSOR_ARCHITECTURE numbers of winnt.h by the names
// that the registry has for them.
var architectures = map[string]string{"x86": "0", "AMD64": "9", "ARM64": "12"}

// properties describe the image. Edition, version and languages wimlib reads
// from the hives itself; it does not know the revision, and takes the
// architecture from a program.
func (w *Windows) properties(description string) wim.Properties {
	p := wim.Properties{Name: w.ProductName, Description: description}
	if p.Name == "" {
		p.Name = "Windows"
	}
	p.XML = [][2]string{{"DISPLAYNAME", p.Name}, {"DISPLAYDESCRIPTION", cmp.Or(description, p.Name)}}
	if number, known := architectures[w.Architecture]; known {
		p.XML = append(p.XML, [2]string{"WINDOWS/ARCH", number})
	}
	if w.Revision > 0 {
		p.XML = append(p.XML, [2]string{"WINDOWS/VERSION/SPBUILD", strconv.Itoa(w.Revision)})
	}
	return p
}
