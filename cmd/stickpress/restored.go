package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// restored says from which backup a console was brought back. It lies in the data
// folder, since a database tells only of the backups before that one.
type restored struct {
	MadeAt     time.Time `json:"made_at"` // the backup
	RestoredAt time.Time `json:"restored_at"`
}

const restoredFile = "restored.json"

func noteRestore(data string, r restored) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, restoredFile), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("note the restore: %w", err)
	}
	return nil
}

// lastRestore is the zero value for a console that was never brought back.
func lastRestore(data string) (r restored, err error) {
	raw, err := os.ReadFile(filepath.Join(data, restoredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return restored{}, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return restored{}, fmt.Errorf("read from which backup this console is: %w", err)
	}
	return r, nil
}
