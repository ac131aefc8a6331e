package spool

// syncDir does nothing: NTFS keeps a journal of its names.
func syncDir(string) error { return nil }
