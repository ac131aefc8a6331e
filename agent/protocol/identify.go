package protocol

// CapIdentify is the capability of an agent that can let a stick's light flash.
const CapIdentify = "identify"

// MaxIdentifySeconds bounds Identify.Seconds.
const MaxIdentifySeconds = 60

// Identify asks a host to let the light of one of its devices flash, by
// reading it, so that a person finds it. While it does, Device.Blinking is set
// in the inventory. A device that an attempt uses, or that changed meanwhile,
// stays dark, and nothing is answered. Asked again, it flashes for the new
// time.
type Identify struct {
	Identity Identity `json:"identity"`
	Seconds  int      `json:"seconds"` // 1 to MaxIdentifySeconds
}

// MessageType is TypeIdentify.
func (*Identify) MessageType() Type { return TypeIdentify }
