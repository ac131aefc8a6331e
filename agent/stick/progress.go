package stick

import "sync"

// progress adds up the two long parts of a preparation: putting the image
// onto the volume, counted in bytes of file data, and hashing what that made.
// Until the second is known it is taken to be as long as the first.
type progress struct {
	report func(done, total int64)

	mu                     sync.Mutex
	applied, image         int64
	hashedBytes, hashTotal int64
}

func (p *progress) applying(done, total int64) {
	p.update(func() { p.applied, p.image = done, total })
}

func (p *progress) hashing(total int64) {
	p.update(func() { p.applied, p.hashTotal = p.image, total })
}

func (p *progress) hashed(n int64) {
	p.update(func() { p.hashedBytes += n })
}

func (p *progress) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	second := p.hashTotal
	if second == 0 {
		second = p.image
	}
	p.report(p.applied+p.hashedBytes, p.image+second)
}
