package api

import (
	"context"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/store"
)

// How long a session lasts, and how long it may be idle, while no setting says
// otherwise; and the most that the settings may say.
const (
	sessionLifetime = 14 * 24 * time.Hour
	sessionIdle     = 12 * time.Hour

	MaxSessionLifetime = 90 * 24 * time.Hour
	MaxSessionIdle     = 30 * 24 * time.Hour
)

// sessionLifetime is how long a session lasts that begins now.
func (c *Console) sessionLifetime(ctx context.Context) (time.Duration, error) {
	s, err := c.setting(ctx, SettingSessionLifetime)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s.Value)
	return time.Duration(n) * time.Hour, err
}

// goodSessions says which sessions are good by the settings as they are: what is
// made shorter holds for sessions that have begun, too.
func (c *Console) goodSessions(ctx context.Context) (store.SessionTimes, error) {
	now := c.store.Now()
	lifetime, err := c.sessionLifetime(ctx)
	if err != nil {
		return store.SessionTimes{}, err
	}
	s, err := c.setting(ctx, SettingSessionIdle)
	if err != nil {
		return store.SessionTimes{}, err
	}
	idle, err := strconv.Atoi(s.Value)
	return store.SessionTimes{Now: now, Idle: now.Add(-time.Duration(idle) * time.Minute), Begun: now.Add(-lifetime)}, err
}
