package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestHistoryIsInStepWithVersion(t *testing.T) {
	t.Parallel()
	if MinVersion > Version || MinVersion < 1 {
		t.Fatalf("versions %d to %d", MinVersion, Version)
	}
	last := time.Time{}
	for i, h := range History {
		date, err := time.Parse(time.DateOnly, h.Date)
		if err != nil || date.Before(last) {
			t.Errorf("version %d: date %q after %v: %v", h.Version, h.Date, last, err)
		}
		last = date
		if h.Version != i+1 || h.What == "" {
			t.Errorf("entry %d is version %d, %q", i, h.Version, h.What)
		}
	}
	if len(History) != Version {
		t.Fatalf("%d entries for version %d", len(History), Version)
	}
}

// fill sets every field of v to something that is not zero.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(*n, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"format":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": fmt.Sprint(*n)}))
	case reflect.String:
		v.SetString(fmt.Sprint("s", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 251))
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic(v.Kind())
	}
}

func TestEveryMessageComesBack(t *testing.T) {
	t.Parallel()
	for typ, mk := range makers {
		m := mk()
		if m.MessageType() != typ {
			t.Errorf("%s makes %s", typ, m.MessageType())
		}
		n := int64(0)
		fill(reflect.ValueOf(m).Elem(), &n)
		raw, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(raw)
		if err != nil || !reflect.DeepEqual(m, back) {
			t.Errorf("%s came back as %+v: %v\nwant %+v", typ, back, err, m)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Decode([]byte(`{"v":7,"type":"later","body":{}}`)); !errors.Is(err, ErrUnknownType) {
		t.Fatalf("unknown type: %v", err)
	}
	for name, raw := range map[string]string{
		"nothing":     ``,
		"no version":  `{"type":"ack","body":{}}`,
		"no body":     `{"v":1,"type":"ack"}`,
		"wrong body":  `{"v":1,"type":"ack","body":[]}`,
		"wrong field": `{"v":1,"type":"ack","body":{"host_seq":"1"}}`,
		"two values":  `{"v":1,"type":"drain","body":{}}{}`,
		"too long":    strings.Repeat(" ", MaxMessage) + `{"v":1,"type":"drain","body":{}}`,
	} {
		if m, err := Decode([]byte(raw)); err == nil || errors.Is(err, ErrUnknownType) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	// A field of a newer peer is passed over.
	m, err := Decode([]byte(`{"v":2,"type":"ack","new":1,"body":{"build_id":"b","attempt":1,"host_seq":3,"new":true}}`))
	if err != nil || m.(*Ack).HostSeq != 3 {
		t.Fatalf("newer peer: %+v, %v", m, err)
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	key := func(b byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	}
	public := func(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }
	agent, server, other := key(1), key(2), key(3)
	fresh := func() (*Challenge, *Hello, *Welcome) {
		c := &Challenge{Nonce: bytes.Repeat([]byte{4}, NonceSize), ServerKey: public(server)}
		h := &Hello{HostID: "host_1", Nonce: bytes.Repeat([]byte{5}, NonceSize)}
		h.Signature = SignAgent(agent, c, h)
		return c, h, &Welcome{Signature: SignServer(server, c, h)}
	}
	c, h, w := fresh()
	if !VerifyAgent(public(agent), c, h) || !VerifyServer(public(server), c, h, w) {
		t.Fatal("an honest pair is refused")
	}
	for name, spoil := range map[string]func(*Challenge, *Hello, *Welcome){
		"other keys": func(c *Challenge, h *Hello, w *Welcome) {
			h.Signature, w.Signature = SignAgent(other, c, h), SignServer(other, c, h)
		},
		"replayed challenge": func(c *Challenge, _ *Hello, _ *Welcome) { c.Nonce[0]++ },
		"replayed hello":     func(_ *Challenge, h *Hello, _ *Welcome) { h.Nonce[0]++ },
		"another host":       func(_ *Challenge, h *Hello, _ *Welcome) { h.HostID = "host_2" },
		"swapped signatures": func(_ *Challenge, h *Hello, w *Welcome) { h.Signature, w.Signature = w.Signature, h.Signature },
		"moved byte":         func(_ *Challenge, h *Hello, _ *Welcome) { h.HostID, h.Nonce = "ost_1", append(h.Nonce, 'h') },
		"no signatures":      func(_ *Challenge, h *Hello, w *Welcome) { h.Signature, w.Signature = nil, nil },
	} {
		c, h, w := fresh()
		spoil(c, h, w)
		if VerifyAgent(public(agent), c, h) || VerifyServer(public(server), c, h, w) {
			t.Errorf("%s is accepted", name)
		}
	}
	no := &Reject{Fault: NewFault(FaultRevoked), Signature: SignReject(server, c, h, FaultRevoked)}
	if !VerifyReject(public(server), c, h, no) || VerifyReject(public(other), c, h, no) || VerifyReject(nil, c, h, no) {
		t.Error("a proven refusal is not told from another's")
	}
	if no.Fault = NewFault("host_unknown"); VerifyReject(public(server), c, h, no) || VerifyReject(public(server), c, h, &Reject{}) {
		t.Error("the proof of one refusal serves for another")
	}
	if VerifyAgent(nil, c, h) || VerifyServer(nil, c, h, w) {
		t.Error("an empty key is accepted")
	}
	h.Nonce = h.Nonce[:8]
	h.Signature = SignAgent(agent, c, h)
	if VerifyAgent(public(agent), c, h) {
		t.Error("a short nonce is accepted")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such device")
	f := WrapFault(cause, FaultWrite, "offset", 4096)
	f.Touched = true
	wrapped := fmt.Errorf("press: %w", f)
	switch {
	case AsFault(wrapped) != f:
		t.Error("a wrapped fault is not found")
	case !errors.Is(wrapped, cause) || !errors.Is(wrapped, NewFault(FaultWrite)) || errors.Is(wrapped, NewFault(FaultVerify)):
		t.Error("errors.Is is wrong")
	case AsFault(cause).Code != FaultInternal || AsFault(nil) != nil:
		t.Error("AsFault of other errors is wrong")
	}
	raw, err := json.Marshal(f)
	if err != nil || string(raw) != `{"code":"write_failed","params":{"cause":"no such device","offset":"4096"},"touched":true}` {
		t.Errorf("on the wire: %s, %v", raw, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, mk := range makers {
		m := mk()
		n := int64(0)
		fill(reflect.ValueOf(m).Elem(), &n)
		raw, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"v":1,"type":"inventory","body":{"devices":[null,{"refusals":[null]}]}}`))
	f.Add([]byte(`{"v":1,"type":"reject","body":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		// What was understood can be said again, and means the same.
		again, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil && len(again) <= MaxMessage {
			t.Fatalf("%s: %v", again, err)
		}
		twice, err := Encode(back)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("%s\n%s: %v", again, twice, err)
		}
	})
}

// Where whoever mounted a stick can be locked out, it may be read.
func TestRefusalOfMounted(t *testing.T) {
	t.Parallel()
	d := Device{AutomountedAt: []string{`E:\`}, Refusals: []*Fault{NewFault(FaultReadOnly)}}
	for _, k := range []JobKind{JobVerify, JobCapture} {
		d.Lockable = false
		if f := d.Refusal(k); f == nil || f.Code != FaultMounted || f.Params["mount"] != `E:\` {
			t.Errorf("%s, mounted: %v", k, f)
		}
		d.Lockable = true
		if f := d.Refusal(k); f != nil {
			t.Errorf("%s, lockable: %v", k, f)
		}
	}
	if f := d.Refusal(JobPress); f == nil || f.Code != FaultReadOnly {
		t.Errorf("write-protected: %v", f)
	}
}
