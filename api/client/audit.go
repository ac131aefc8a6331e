package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/stickpress/stickpress/api"
)

// ExportAudit writes all changes that the filter leaves to w, newest first, as
// "csv" or "json" (api.NewAuditFile). It is as long as the log is; an error
// leaves a part of it there.
func (c *Client) ExportAudit(ctx context.Context, f api.AuditFilter, format string, w io.Writer) error {
	req, err := c.request(ctx, http.MethodGet, at("audit", "export"), nil)
	if err != nil {
		return err
	}
	q := api.WriteFilter(api.AuditFields, &f)
	q.Set("format", format)
	req.URL.RawQuery = q.Encode()
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return problemOf(resp)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	return nil
}
