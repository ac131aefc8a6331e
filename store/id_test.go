package store_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/stickpress/stickpress/store"
)

// IDs are in the order of their times, down to the microsecond that the
// database keeps.
func TestIDOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 999_990_000, time.UTC)
	var last store.JobID
	for range 20 {
		id, err := store.NewID[store.JobID](at, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(id[:], last[:]) <= 0 {
			t.Errorf("at %s %x comes before %x", at.Format(time.RFC3339Nano), id, last)
		}
		last, at = id, at.Add(time.Microsecond)
	}
}

// The digits of TypeID's own list of valid IDs.
func TestIDMatchesTypeID(t *testing.T) {
	t.Parallel()
	for digits, uuid := range map[string]string{
		"0123456789abcdefghjkmnpqrs": "0110c8531d0952d8d73e1194e95b5f19",
		"01h455vb4pex5vsknk084sn02q": "01890a5dac96774bbcceb302099a8057",
		"7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffffffffffffffffffffffffffff",
	} {
		id, err := store.ParseID[store.JobID]("job_" + digits)
		if err != nil || hex.EncodeToString(id[:]) != uuid {
			t.Errorf("%s is %x, %v; want %s", digits, id[:], err, uuid)
		}
		if id.String() != "job_"+digits {
			t.Errorf("%s came back as %s", digits, id)
		}
	}
}

func TestIDRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "job", "job_", "build_01h455vb4pex5vsknk084sn02q", "01h455vb4pex5vsknk084sn02q", "job_01h455vb4pex5vsknk084sn02",
		"job_01h455vb4pex5vsknk084sn02qq", "job_01H455VB4PEX5VSKNK084SN02Q", "job_81h455vb4pex5vsknk084sn02q",
		"job_01h455vb4pex5vsknk084sn02u", "job_00000000000000000000000000", "job_01h455vb4pex5vsknk084sn0 q",
	} {
		_, err := store.ParseID[store.JobID](bad)
		wantCode(t, err, "id_invalid")
	}
}

func TestIDInJSON(t *testing.T) {
	t.Parallel()
	type record struct {
		ID   store.StickID
		None store.HostID
	}
	id, err := store.NewID[store.StickID](time.UnixMilli(0x0123456789ab), bytes.NewReader(bytes.Repeat([]byte{0xff}, 8)))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(id[:]); got != "0123456789ab7000bfffffffffffffff" {
		t.Errorf("a UUID of version 7: %s", got)
	}
	want := record{ID: id}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got record
	if err := json.Unmarshal(raw, &got); err != nil || got != want {
		t.Errorf("%s came back as %+v, %v", raw, got, err)
	}
}
