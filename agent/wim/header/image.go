package header

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Image is one image of a file, which is an edition of Windows as a rule. Texts that the file does not have are
// empty, numbers 0: only Index is sure to be there.
type Image struct {
	Index              int    // from 1
	Name               string // "Windows 11 Enterprise"
	Description        string
	DisplayName        string // what setup shows
	DisplayDescription string
	Flags              string // edition as setup has it, "Enterprise"
	Architecture       string // "x64", "arm64", "x86", "arm", "ia64"; a number that is none of these as it stands
	ProductName        string // "Microsoft® Windows® Operating System"
	EditionID          string // "Enterprise"
	InstallationType   string // "Client", "Server", "WindowsPE"
	ProductType        string // "WinNT", "ServerNT"
	Build              string // "10.0.26100.1742"; empty if there is no version
	Languages          []string
	DefaultLanguage    string // "en-US"
	TotalBytes         uint64 // of all files, hard links counted each time
	HardLinkBytes      uint64 // of those, what hard links save
	Files              uint64
	Directories        uint64
}

// xmlWIM and xmlImage are the document's elements that are read; numbers are texts, so that an odd one does not
// make a file unreadable.
type xmlWIM struct {
	TotalBytes string     `xml:"TOTALBYTES"`
	Images     []xmlImage `xml:"IMAGE"`
}

type xmlImage struct {
	Index              string `xml:"INDEX,attr"`
	Name               string `xml:"NAME"`
	Description        string `xml:"DESCRIPTION"`
	DisplayName        string `xml:"DISPLAYNAME"`
	DisplayDescription string `xml:"DISPLAYDESCRIPTION"`
	Flags              string `xml:"FLAGS"`
	TotalBytes         string `xml:"TOTALBYTES"`
	HardLinkBytes      string `xml:"HARDLINKBYTES"`
	FileCount          string `xml:"FILECOUNT"`
	DirCount           string `xml:"DIRCOUNT"`
	Windows            struct {
		Arch             string   `xml:"ARCH"`
		ProductName      string   `xml:"PRODUCTNAME"`
		EditionID        string   `xml:"EDITIONID"`
		InstallationType string   `xml:"INSTALLATIONTYPE"`
		ProductType      string   `xml:"PRODUCTTYPE"`
		Languages        []string `xml:"LANGUAGES>LANGUAGE"`
		DefaultLanguage  string   `xml:"LANGUAGES>DEFAULT"`
		Major            string   `xml:"VERSION>MAJOR"`
		Minor            string   `xml:"VERSION>MINOR"`
		Build            string   `xml:"VERSION>BUILD"`
		ServicePackBuild string   `xml:"VERSION>SPBUILD"`
	} `xml:"WINDOWS"`
}

// architectures are the PROCESSOR_ARCHITECTURE numbers of winnt.h.
var architectures = map[string]string{"0": "x86", "5": "arm", "6": "ia64", "9": "x64", "12": "arm64"}

// readXML fills info.XML (as UTF-8, without its byte order mark), TotalBytes and Images, of which the header counts
// images.
func (info *Info) readXML(r io.ReaderAt, res resource, images int) error {
	switch {
	case res.flags&resourceCompressed != 0:
		return fmt.Errorf("%w: it is compressed", ErrUnsupported)
	case res.size > maxXML:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrUnsupported, res.size, maxXML)
	case res.size < 2 || res.size%2 != 0:
		return fmt.Errorf("%w: %d bytes are no UTF-16 text", ErrCorrupt, res.size)
	}
	raw := make([]byte, res.size)
	if err := readAt(r, raw, int64(res.offset)); err != nil {
		return err
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	if units[0] != 0xfeff {
		return fmt.Errorf("%w: no byte order mark", ErrCorrupt)
	}
	info.XML = []byte(string(utf16.Decode(units[1:])))

	doc, err := parseXML(info.XML, images)
	if err != nil {
		return err
	}
	info.TotalBytes = number(doc.TotalBytes)
	for _, x := range doc.Images {
		img, err := x.image()
		if err != nil {
			return err
		}
		info.Images = append(info.Images, img)
	}
	slices.SortFunc(info.Images, func(a, b Image) int { return a.Index - b.Index })
	for i, img := range info.Images {
		if img.Index != i+1 {
			return fmt.Errorf("%w: images are not numbered from 1 to %d", ErrCorrupt, images)
		}
	}
	return nil
}

func parseXML(text []byte, images int) (xmlWIM, error) {
	var doc xmlWIM
	if n := bytes.Count(text, []byte("<IMAGE")); n > 16*(images+1) { // before each one takes memory
		return doc, fmt.Errorf("%w: it has %d images, the header %d", ErrCorrupt, n, images)
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	// It is UTF-8 by now, whatever it declares.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := d.Token()
		if err != nil {
			return doc, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		root, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if root.Name.Local != "WIM" {
			return doc, fmt.Errorf("%w: its root element is %q", ErrCorrupt, root.Name.Local)
		}
		if err := d.DecodeElement(&doc, &root); err != nil {
			return doc, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if len(doc.Images) != images {
			return doc, fmt.Errorf("%w: it has %d images, the header %d", ErrCorrupt, len(doc.Images), images)
		}
		return doc, nil
	}
}

func (x xmlImage) image() (Image, error) {
	index, err := strconv.Atoi(strings.TrimSpace(x.Index))
	if err != nil {
		return Image{}, fmt.Errorf("%w: image number %q", ErrCorrupt, x.Index)
	}
	w := x.Windows
	img := Image{
		Index: index, Name: x.Name, Description: x.Description,
		DisplayName: x.DisplayName, DisplayDescription: x.DisplayDescription, Flags: x.Flags,
		Architecture: strings.TrimSpace(w.Arch), ProductName: w.ProductName, EditionID: w.EditionID,
		InstallationType: w.InstallationType, ProductType: w.ProductType,
		Languages: w.Languages, DefaultLanguage: w.DefaultLanguage,
		TotalBytes: number(x.TotalBytes), HardLinkBytes: number(x.HardLinkBytes),
		Files: number(x.FileCount), Directories: number(x.DirCount),
	}
	if name, known := architectures[img.Architecture]; known {
		img.Architecture = name
	}
	if strings.TrimSpace(w.Build) != "" {
		img.Build = fmt.Sprintf("%d.%d.%d.%d", number(w.Major), number(w.Minor), number(w.Build), number(w.ServicePackBuild))
	}
	return img, nil
}

// number reads a decimal number, and 0 from anything else.
func number(s string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
