package view

// semVer is Semantic Versioning 2.0.0 as a browser checks it before gigabytes
// travel: the expression of semver.org, in what an input's pattern may hold.
const semVer = `(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z\-][0-9a-zA-Z\-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z\-][0-9a-zA-Z\-]*))*)?` +
	`(\+[0-9a-zA-Z\-]+(\.[0-9a-zA-Z\-]+)*)?`
