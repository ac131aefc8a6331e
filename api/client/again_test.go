package client_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// What only shows is asked for again without a key, so that an answer with a
// secret comes whole.
func TestRenderedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := resttest.Start(t, breaker(func(r *http.Request) (int64, int) {
		if strings.HasSuffix(r.URL.Path, "/renderings") && asked.Add(1) == 1 {
			return -1, 0
		}
		return -1, -1
	}))
	got, err := as(t, s, api.RoleAdmin).RenderTemplate(t.Context(), api.DefaultTemplate, api.RenderInput{Variables: map[string]string{"computer_name": "PC-{n}"}})
	if err != nil || asked.Load() != 2 || !strings.Contains(got.AnswerFile, "<ComputerName>PC-1<") {
		t.Errorf("%+v after %d requests: %v", got, asked.Load(), err)
	}
}

// What was done and whose answer was lost is asked for again, and not done
// again; a secret that was in the answer is nobody's any more.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	var images, tokens atomic.Int32
	s := resttest.Start(t, breaker(func(r *http.Request) (int64, int) {
		n := int32(0)
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/images"):
			n = images.Add(1)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tokens"):
			n = tokens.Add(1)
		}
		if n == 1 {
			return -1, 0
		}
		return -1, -1
	}))
	ctx, c := t.Context(), as(t, s, api.RoleAdmin)
	if i := must[api.Image](t)(c.CreateImage(ctx, api.CreateImageInput{Name: "win10"})); i.Name != "win10" || images.Load() != 2 {
		t.Errorf("image is %+v after %d requests", i, images.Load())
	}
	before := must[api.List[api.Token]](t)(c.ListTokens(ctx, api.TokenFilter{}, api.Page{}))
	if _, err := c.CreateToken(ctx, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer}); !errors.Is(err, client.ErrSecretLost) || tokens.Load() != 2 {
		t.Errorf("a token whose secret was lost: %v after %d requests", err, tokens.Load())
	}
	after := must[api.List[api.Token]](t)(c.ListTokens(ctx, api.TokenFilter{}, api.Page{}))
	if len(after.Items) != len(before.Items)+1 {
		t.Errorf("%d tokens became %d", len(before.Items), len(after.Items))
	}
}
