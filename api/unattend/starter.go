package unattend

import (
	_ "embed"
	"slices"
)

//go:embed starter.xml
var starter []byte

// Starter returns the template that a new console begins with: the volume
// grows into the stick, the recovery environment goes, the pages that ask
// nothing useful are hidden, and the answer file removes itself at the first
// logon. It holds no password and makes no account: Windows asks for one.
func Starter() []byte { return slices.Clone(starter) }
