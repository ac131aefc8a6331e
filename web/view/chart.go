package view

import (
	"math"
	"strconv"
	"strings"
)

// Series is one kind of value of a StackChart.
type Series struct {
	Name string
	Tone string // "good", "warn", "bad", "run" or "idle"
}

// LineChart is one value over time.
type LineChart struct {
	ID      string // unique on the page
	Title   string
	Summary string    // what the picture says, in a sentence: its text alternative
	Values  []float64 // NaN where nothing is known: the line has a gap there
	Labels  []string  // of each value, for the table below; the first and last stand at the axis
	Format  func(float64) string
	Tabled  bool // the page has a table of its numbers itself
}

// StackChart is how much of each Series there was, one bar per label.
type StackChart struct {
	ID      string
	Title   string
	Summary string
	Series  []Series
	Labels  []string
	Values  [][]float64 // per label, per series; none is negative
	Format  func(float64) string
	Tabled  bool // the page has a table of its numbers itself
}

// niceMax is the least round number that is not below any value, for the end of an
// axis whose middle is labelled too: it is even below 10, so that an axis of things
// has no half ones. It is 2 if there is nothing.
func niceMax(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		if v > top { // false for NaN
			top = v
		}
	}
	if top == 0 || math.IsInf(top, 0) {
		return 2
	}
	power := math.Pow(10, math.Floor(math.Log10(top)))
	for _, step := range []float64{1, 2, 3, 4, 5, 6, 8} {
		halves := power == 1 && math.Mod(step, 2) == 1
		if !halves && top <= step*power {
			return step * power
		}
	}
	return 10 * power
}

// linePath is the path of a line through values in a box of 100 × 100, and the
// path of the area below it. A value alone between gaps is a short dash.
func linePath(values []float64, top float64) (line, area string) {
	var l, a strings.Builder
	last := float64(max(len(values)-1, 1))
	for i := 0; i < len(values); {
		if math.IsNaN(values[i]) {
			i++
			continue
		}
		end := i
		for end < len(values) && !math.IsNaN(values[end]) {
			end++
		}
		from, to := 100*float64(i)/last, 100*float64(end-1)/last
		a.WriteString("M" + number(from) + " 100")
		for j := i; j < end; j++ {
			at := number(100*float64(j)/last) + " " + number(100-100*min(values[j], top)/top)
			command := "L"
			if j == i {
				command = "M"
			}
			l.WriteString(command + at)
			a.WriteString("L" + at)
		}
		if end == i+1 {
			l.WriteString("h.5")
		}
		a.WriteString("L" + number(to) + " 100z")
		i = end
	}
	return l.String(), a.String()
}

// segment is a part of a bar of length 100.
type segment struct {
	at, size float64
	tone     string
}

// stack lays the values of one bar on each other, from the bottom.
func (c StackChart) stack(i int, top float64) []segment {
	var all []segment
	y := 100.0
	for s, v := range c.Values[i] {
		size := 100 * v / top
		y -= size
		if v > 0 {
			all = append(all, segment{at: y, size: size, tone: c.Series[s].Tone})
		}
	}
	return all
}

// top is where the axis of a StackChart ends.
func (c StackChart) top() float64 {
	var sums []float64
	for _, values := range c.Values {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		sums = append(sums, sum)
	}
	return niceMax(sums)
}

// number is a coordinate: short, and the same on every machine.
func number(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// percent is a coordinate in per cent of the place.
func percent(v float64) string { return number(v) + "%" }
