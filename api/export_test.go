package api

// Permissions lets the tests go through the whole table.
var Permissions = permissions

// Refusals lets the tests compare the list with what was decided.
var Refusals = refusals

// Refusal is one of them.
type Refusal = refusal
