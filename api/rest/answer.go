package rest

// found is a thing that has a revision.
type found[T any] struct {
	ETag string `header:"ETag" doc:"For If-Match."`
	Body T
}

// foundOf answers with a thing.
func foundOf[T any](v T, revision int64, err error) (*found[T], error) {
	if err != nil {
		return nil, err
	}
	return &found[T]{ETag: etag(revision), Body: v}, nil
}

// made is a thing that was made just now.
type made[T any] struct {
	Location string `header:"Location" doc:"Where it is from now on."`
	ETag     string `header:"ETag" doc:"For If-Match."`
	Body     T
}

// madeOf answers with a new thing that is at a path below Prefix.
func madeOf[T any](v T, path string, revision int64, err error) (*made[T], error) {
	if err != nil {
		return nil, err
	}
	return &made[T]{Location: Prefix + path, ETag: etag(revision), Body: v}, nil
}

// placed is a new thing that nobody changes: it has no revision.
type placed[T any] struct {
	Location string `header:"Location" doc:"Where it is from now on."`
	Body     T
}

// placedAt answers with a new thing that is at a path below Prefix.
func placedAt[T any](v T, path string, err error) (*placed[T], error) {
	if err != nil {
		return nil, err
	}
	return &placed[T]{Location: Prefix + path, Body: v}, nil
}

// started is work that goes on.
type started[T any] struct {
	Location   string `header:"Location" doc:"What tells how it goes."`
	RetryAfter int    `header:"Retry-After" doc:"Seconds until it is worth while to look there."`
	ETag       string `header:"ETag" doc:"For If-Match."`
	Body       T
}

// lookAgain is the Retry-After of work, in seconds. Who wants to know sooner
// reads the stream of events.
const lookAgain = 5

// startedOf answers with work whose state is at a path below Prefix.
func startedOf[T any](v T, path string, revision int64, err error) (*started[T], error) {
	if err != nil {
		return nil, err
	}
	return &started[T]{Location: Prefix + path, RetryAfter: lookAgain, ETag: etag(revision), Body: v}, nil
}

// sent is a message that is on its way to another program.
type sent[T any] struct {
	Location   string `header:"Location" doc:"What tells how it goes."`
	RetryAfter int    `header:"Retry-After" doc:"Seconds until it is worth while to look there."`
	Body       T
}

// sentOf answers with a message whose state is at a path below Prefix.
func sentOf[T any](v T, path string, err error) (*sent[T], error) {
	if err != nil {
		return nil, err
	}
	return &sent[T]{Location: Prefix + path, RetryAfter: 1, Body: v}, nil
}

// plain is an answer without headers of its own.
type plain[T any] struct {
	Body T
}

// plainOf answers with a value.
func plainOf[T any](v T, err error) (*plain[T], error) {
	if err != nil {
		return nil, err
	}
	return &plain[T]{Body: v}, nil
}
