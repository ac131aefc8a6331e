package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// deprecated says that an operation is not to be used any more, since a day,
// and that it may be gone from another one on: in the document, and in each of
// its answers (Deprecation, RFC 9745; Sunset, RFC 8594).
func deprecated(op huma.Operation, since, sunset time.Time) huma.Operation {
	op.Deprecated = true
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		ctx.SetHeader("Deprecation", "@"+strconv.FormatInt(since.Unix(), 10))
		ctx.SetHeader("Sunset", sunset.UTC().Format(http.TimeFormat))
		next(ctx)
	})
	return op
}
