package api

// Permissions lets the tests go through the whole table.
var Permissions = permissions
