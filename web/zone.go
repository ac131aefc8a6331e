package web

// Times are typed in the zone of whoever types them, and the machine that the
// console runs on may have no list of zones.
import _ "time/tzdata"
