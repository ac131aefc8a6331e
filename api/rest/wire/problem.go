package wire

import (
	"fmt"
	"net/http"
)

// ProblemType is the media type of every refusal (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is what the API answers when it refuses something or fails.
type Problem struct { //nolint:errname // RFC 9457 calls it a problem
	Type      string            `json:"type" doc:"urn:stickpress:fault:<code>."`
	Title     string            `json:"title" doc:"The status in words."`
	Status    int               `json:"status"`
	Detail    string            `json:"detail" doc:"What happened, in the language of Accept-Language: English or Simplified Chinese."`
	Code      string            `json:"code" doc:"Stable name of what went wrong; never renamed."`
	Params    map[string]string `json:"params,omitempty" doc:"What fills in the sentence. Keys that end in _bytes are whole bytes."`
	Field     string            `json:"field,omitempty" doc:"The input at fault, as the request calls it."`
	Errors    []FieldError      `json:"errors,omitempty" doc:"Each input that is wrong, and where in the request it is."`
	RequestID string            `json:"request_id" doc:"Under which the server's log has more."`
}

// FieldError is one input that is wrong: refused for what it says, or not as the
// API describes it.
type FieldError struct {
	Location string `json:"location" doc:"body, query, header or path, and the name there: body.devices[0].identity, query.limit."`
	Code     string `json:"code,omitempty" doc:"Stable name of what is wrong with it; none where it is not as described here."`
	Detail   string `json:"detail"`
}

// NewProblem fills in what follows from status and code.
func NewProblem(status int, code string) Problem {
	return Problem{Type: "urn:stickpress:fault:" + code, Title: http.StatusText(status), Status: status, Code: code}
}

// Error makes a problem an error: its sentence, and its code where there is
// none.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (%d)", p.Code, p.Status)
	}
	return p.Detail
}

// ContentType is asked by huma.
func (p *Problem) ContentType(string) string { return ProblemType }

// GetStatus is asked by huma.
func (p *Problem) GetStatus() int { return p.Status }
