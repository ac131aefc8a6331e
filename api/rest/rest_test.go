package rest_test

import (
	"net/http"
	"testing"

	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestBoot(t *testing.T) {
	s := resttest.Start(t)
	resp, err := http.Get(s.URL + "/api/v1/jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	t.Log(resp.StatusCode, resp.Header)
}
