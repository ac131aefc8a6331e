package view

import (
	"slices"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/web/locale"
)

// WipeOptions are what the form of a wipe asks for.
func WipeOptions(p NewJob) *protocol.WipeOptions {
	o := &protocol.WipeOptions{Method: protocol.WipeMethod(p.Fields["method"]), Passes: protocol.MaxWipePasses}
	if o.Method == "" {
		o.Method = protocol.WipeAuto
	}
	if p.Fields["passes"] != "" {
		o.Passes, _ = strconv.Atoi(p.Fields["passes"]) // 0 is refused when it is queued
	}
	return o
}

// wipeMethods and wipePasses are what the form of a wipe offers, the usual first.
func wipeMethods(f Frame) []Option {
	var all []Option
	for _, m := range protocol.WipeMethods {
		all = append(all, Option{Value: string(m), Label: methodWord(f, m)})
	}
	return all
}

func wipePasses(f Frame) []Option {
	var all []Option
	for n := protocol.MaxWipePasses; n >= 1; n-- {
		all = append(all, Option{Value: strconv.Itoa(n), Label: passesWord(f, n)})
	}
	return all
}

// wipeFields is the reverse of WipeOptions.
func wipeFields(o *protocol.WipeOptions) map[string]string {
	if o == nil {
		return nil
	}
	return map[string]string{"method": string(o.Method), "passes": strconv.Itoa(o.Passes)}
}

// slowest is how fast a cheap stick is written, in bytes per second: what the
// confirmation of a wipe reckons with.
const slowest = 20e6

// wipeTime says how long the largest of the chosen sticks may take.
func wipeTime(f Frame, p NewJob) string {
	var largest int64
	for _, c := range p.Chosen {
		largest = max(largest, c.Bytes)
	}
	total := largest * int64(max(WipeOptions(p).Passes, 1))
	took := time.Duration(float64(total) / slowest * float64(time.Second)).Round(time.Second)
	return f.T("wipe.time_value", "total_bytes", total, "read_bytes", largest, "time", locale.Duration(took))
}

// methodWord and passesWord name what a form asked for, which may be nonsense
// that is about to be refused.
func methodWord(f Frame, m protocol.WipeMethod) string {
	if !slices.Contains(protocol.WipeMethods, m) {
		return string(m)
	}
	return f.T("wipe.method_" + string(m))
}

func passesWord(f Frame, n int) string {
	if n < 1 || n > protocol.MaxWipePasses {
		return strconv.Itoa(n)
	}
	return f.T("wipe.passes_" + strconv.Itoa(n))
}

// deviceOwner says whose the content of a stick is, as far as is known.
func deviceOwner(f Frame, d api.Device) string {
	switch {
	case d.Life == "returned" && d.Holder != "":
		return f.T("device.returned_by", "holder", d.Holder)
	case d.Life == "returned":
		return f.T("device.returned")
	case d.Holder != "":
		return f.T("device.pressed_for", "holder", d.Holder)
	}
	return ""
}

// wipeLimits is what is certified beside the class, whatever is done.
var wipeLimits = []certificate.Limit{certificate.LimitFlash, certificate.LimitPurge}

// wipingOf is the form of a new job that wipes a device of a host.
func wipingOf(host string, devices ...protocol.Identity) NewJob {
	return NewJob{Kind: protocol.JobWipe, Host: host, Chosen: devices}
}

// StickAt is where a stick is plugged in now; HostID is empty where it is not.
type StickAt struct {
	HostID string
	Device api.Device
}
