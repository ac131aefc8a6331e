package wim

// Properties describe an image that Capture makes.
type Properties struct {
	Name        string
	Description string
	// XML are elements below IMAGE with their texts, "WINDOWS/ARCH", "9".
	// They take precedence over what the tool finds out by itself.
	XML [][2]string
}
