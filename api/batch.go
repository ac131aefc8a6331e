package api

import (
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/fault"
)

// What is wrong with a row of a table, beside what ComputerName says.
const (
	CodeBatchRowEmpty   fault.Code = "batch_row_empty"    //
	CodeBatchRowNoStick fault.Code = "batch_row_no_stick" // host
	CodeBatchRowsWrong  fault.Code = "batch_rows_wrong"   // the cells are its parts
)

// CellProblem is what is wrong with one cell of a table.
type CellProblem struct {
	Row   int    // from 0
	Field string // "holder", "computer_name", "reference"
	Err   *fault.Error
}

// CheckBatch checks the rows of a table before anything is queued: one row for
// each stick. A row without a computer name of its own takes the pattern, one
// without a ticket the reference. It returns what each stick will be called.
func CheckBatch(rows []batch.Row, pattern, reference string) (names []string, problems []CellProblem) {
	names = make([]string, len(rows))
	sticks := make([]QueueDevice, len(rows))
	for i, r := range rows {
		if r.Holder == "" && r.Computer == "" && r.Reference == "" {
			problems = append(problems, CellProblem{i, "holder", fault.New(fault.KindInvalid, CodeBatchRowEmpty)})
			continue
		}
		for _, cell := range []struct{ field, text string }{{"holder", r.Holder}, {"reference", r.Reference}} {
			if utf8.RuneCountInString(cell.text) > maxText {
				problems = append(problems, CellProblem{i, cell.field, fault.New(fault.KindInvalid, CodeTextTooLong, "field", cell.field, "max", maxText)})
			}
		}
		sticks[i] = QueueDevice{Holder: r.Holder, ExternalRef: Ticket(r.Reference), Variables: map[string]string{VariableComputerName: r.Computer}}
		if r.Reference == "" {
			sticks[i].ExternalRef = Ticket(reference)
		}
		if r.Computer == "" {
			sticks[i].Variables[VariableComputerName] = pattern
		}
		name, err := ComputerName(sticks[i].Variables[VariableComputerName], i+1, sticks[i].ExternalRef.ID, r.Holder)
		if err != nil {
			problems = append(problems, CellProblem{i, VariableComputerName, fault.From(err)})
		}
		names[i] = name
	}
	return names, append(problems, sameNames(names)...)
}

// sameNames blames the second of two sticks that would be called the same.
func sameNames(names []string) (problems []CellProblem) {
	seen := map[string]int{}
	for i, name := range names {
		key := nameKey(name)
		if first, ok := seen[key]; ok && key != "" {
			f := fault.New(fault.KindInvalid, CodeComputerTwice, "name", name, "first", first+1, "second", i+1)
			problems = append(problems, CellProblem{i, VariableComputerName, f})
			continue
		}
		seen[key] = i
	}
	return problems
}
