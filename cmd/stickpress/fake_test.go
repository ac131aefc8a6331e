package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// fakeConsole answers as the API does for what needs no real one: who may come
// in, and refusals.
func fakeConsole(t testing.TB) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(fakeAPI())
	t.Cleanup(s.Close)
	return s
}

func fakeTLSConsole(t testing.TB) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(fakeAPI())
	s.Config.ErrorLog = log.New(t.Output(), "", 0) // clients that do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func fakeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(wire.Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer stp_good" {
			refuse(w, http.StatusUnauthorized, "token_invalid")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"items":[],"user":{"login":"ada"},"role":"viewer"}`))
	})
	return mux
}

// refuse answers with a problem as the API does.
func refuse(w http.ResponseWriter, status int, code string) {
	p := wire.NewProblem(status, code)
	p.Detail, p.RequestID = "It is so.", "req_7"
	w.Header().Set("Content-Type", wire.ProblemType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

func pinOf(s *httptest.Server) string {
	sum := sha256.Sum256(s.Certificate().Raw)
	return hex.EncodeToString(sum[:])
}

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// codeOf is the exit code of a program that a script ran.
func codeOf(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
