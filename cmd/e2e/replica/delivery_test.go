package replica

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// sent is a delivery that came.
type sent struct {
	id, body string
	from     string // port of the sender's end
	genuine  error
}

// A console that is killed while a receiver keeps it waiting leaves the delivery
// to the other one: the same message, and once more only.
func TestDeliveryOfAKilledConsole(t *testing.T) {
	p := newPair(t)
	came, hang := make(chan sent, 10), make(chan struct{})
	var key *standardwebhooks.Webhook
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		came <- sent{r.Header.Get(standardwebhooks.HeaderWebhookID), string(body), port, key.Verify(body, r.Header)}
		select {
		case <-hang:
		case <-r.Context().Done(): // its sender has died
		}
	}))
	defer receiver.Close()
	defer func() {
		select {
		case <-hang:
		default:
			close(hang)
		}
	}()
	hook, err := p.consoles[0].Client.CreateWebhook(p.consoles[0].Context(), api.SaveWebhookInput{URL: receiver.URL, Types: []string{"job.cancelled"}})
	if err != nil {
		t.Fatal(err)
	}
	if key, err = standardwebhooks.NewWebhook(hook.Secret); err != nil {
		t.Fatal(err)
	}
	p.happen(p.consoles[1])
	first := next(t, came)
	dead, left := p.consoles[0], p.consoles[1]
	if sends(t, left, first.from) {
		dead, left = left, dead
	} else if !sends(t, dead, first.from) {
		t.Fatalf("port %s is neither console's", first.from)
	}
	dead.Server.Kill()
	close(hang)
	// A console counts as dead after a while: it has passed.
	n := p.sql(`UPDATE river.river_job SET attempted_at = attempted_at - interval '10 minutes' WHERE queue = 'webhooks' AND state = 'running'`)
	if m := p.sql(`UPDATE webhook_messages SET claimed_until = claimed_until - interval '10 minutes' WHERE claimed_until IS NOT NULL`); n != 1 || m != 1 {
		t.Fatalf("%d deliveries were under way, %d messages claimed", n, m)
	}
	again := next(t, came)
	if again.id != first.id || again.body != first.body || first.id == "" {
		t.Errorf("first came\n%+v, then\n%+v", first, again)
	}
	if first.genuine != nil || again.genuine != nil {
		t.Errorf("signatures: %v, %v", first.genuine, again.genuine)
	}
	var d api.Delivery
	left.Until("the message is delivered", func() (bool, error) {
		d, err = left.Client.GetDelivery(left.Context(), hook.ID, first.id)
		return d.State == api.DeliveryDelivered, err
	})
	if len(d.Log) != 2 || d.Log[0].Fault == nil || d.Log[0].Fault.Code != string(api.CodeDeliveryLost) || d.Log[1].Fault != nil || d.Log[1].Status != http.StatusOK {
		t.Errorf("the log is %+v", d.Log)
	}
	if len(came) != 0 {
		t.Errorf("%d more messages came", len(came))
	}
}

func next(t *testing.T, came <-chan sent) sent {
	t.Helper()
	select {
	case s := <-came:
		return s
	case <-time.After(world.Patience):
		t.Fatal("nothing came")
		return sent{}
	}
}

// sends reports whether a TCP port is one of a console's sockets (proc(5): fd,
// net/tcp).
func sends(t *testing.T, w *world.World, port string) bool {
	t.Helper()
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	inode, want := "", fmt.Sprintf(":%04X", n)
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 9 && strings.HasSuffix(f[1], want) {
			inode = "socket:[" + f[9] + "]"
		}
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", w.Server.PID()))
	if err != nil || inode == "" {
		t.Fatalf("port %s has no socket (%v)", port, err)
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == inode {
			return true
		}
	}
	return false
}
