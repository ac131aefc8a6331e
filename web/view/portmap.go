package view

import "github.com/a-h/templ"

// Socket is one USB socket of a host, as the port map draws it.
type Socket struct {
	ID     string // unique on the page and the same while the stick stays: live updates replace it
	Number string // printed beside the socket; empty where nobody has numbered it
	Port   string // the kernel's name, shown where there is no number
	Stick  string // maker and model; empty in an empty socket
	Serial string
	Size   string
	State  string // a key of "state."; empty in an empty socket
	Done   int64  // of Total; the stick's window is filled so far
	Total  int64  // 0 shows no bar
	Reason string // why the stick cannot be chosen, a sentence; empty if it can
	Href   string // where the socket leads; empty for none
	Settle string // ID of the stick where the reason can be settled; empty if it cannot
	Aside  bool   // not what the map is about: drawn faintly, and said to stay as it is

	// With a name the socket is a box to tick of a form: the picker.
	Name, Value string
	BoxID       string // of the box; empty takes the socket's with "-box" behind it
	Chosen      bool
	Single      bool // one of the picker's sockets only
}

// Hub is a row of sockets in the order in which they were taught.
type Hub struct {
	Name    string
	Sockets []Socket
}

// look is the class of a socket's state.
func (s Socket) look() string {
	if s.Aside && s.State != "" {
		return "aside"
	}
	switch s.State {
	case "":
		return "empty"
	case "ready":
		return "idle"
	}
	if t := tone(s.State); t != "idle" {
		return t
	}
	return "off"
}

// label is what people call the socket.
func (s Socket) label() string {
	if s.Number != "" {
		return s.Number
	}
	return s.Port
}

// box is the ID of the socket's box.
func (s Socket) box() string {
	if s.BoxID != "" {
		return s.BoxID
	}
	return s.ID + "-box"
}

// pick is the kind of the socket's box.
func (s Socket) pick() string {
	if s.Single {
		return "radio"
	}
	return "checkbox"
}

// about is what describes the box of a stick that cannot be chosen.
func (s Socket) about() templ.Attributes {
	switch {
	case s.Reason == "":
		return nil
	case !s.explained():
		return templ.Attributes{"disabled": true}
	}
	return templ.Attributes{"aria-describedby": s.ID + "-why", "disabled": true}
}

// explained reports whether the reason is written below the map; that a stick is
// being pressed can be seen on it.
func (s Socket) explained() bool { return s.Reason != "" && tone(s.State) != "run" }

// windowHeight is how high the window of a drawn stick is.
const windowHeight = 30

// filled is how much of the window is filled.
func (s Socket) filled() float64 {
	if s.Total <= 0 {
		return 0
	}
	return windowHeight * float64(max(0, min(s.Done, s.Total))) / float64(s.Total)
}

// said is the state in words, with how far it is.
func (s Socket) said(f Frame) string {
	switch {
	case s.State == "":
		return f.T("portmap.empty")
	case s.Aside:
		return f.T("portmap.aside")
	case s.Total > 0 && tone(s.State) == "run":
		return f.T("portmap.percent", "percent", 100*max(0, min(s.Done, s.Total))/s.Total)
	}
	return f.T("state." + s.State)
}

// held counts the sockets that hold a stick.
func (h Hub) held() int {
	n := 0
	for _, s := range h.Sockets {
		if s.State != "" {
			n++
		}
	}
	return n
}

// heldWords says how many of some sockets hold a stick. Of sockets that are known
// by their sticks alone every one does.
func heldWords(f Frame, held, count int) string {
	if held == count {
		return f.L.N("portmap.sticks", held)
	}
	return f.T("portmap.held", "held", held, "count", count)
}

// glanced is how many sockets of a host can be taken in at a glance: its picture
// beside other hosts shows no more.
const glanced = 40

// glance are the sockets that such a picture shows, and how many it leaves out.
func glance(hubs []Hub) (drawn []Hub, rest int) {
	room := glanced
	for _, h := range hubs {
		n := min(room, len(h.Sockets))
		if n > 0 {
			drawn = append(drawn, Hub{Name: h.Name, Sockets: h.Sockets[:n]})
		}
		room, rest = room-n, rest+len(h.Sockets)-n
	}
	return drawn, rest
}
