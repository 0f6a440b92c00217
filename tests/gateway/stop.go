package main

import (
	"context"
	"sync"
)

// underWayLoads are the loads that a stop can end, by their requests' IDs.
type underWayLoads struct {
	mutex sync.Mutex
	stops map[uint64]context.CancelFunc
}

// begin returns a context that ends when the load is stopped.
func (u *underWayLoads) begin(ctx context.Context, id uint64) context.Context {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	more, stop := context.WithCancel(ctx)
	if u.stops == nil {
		u.stops = map[uint64]context.CancelFunc{}
	}
	u.stops[id] = stop
	return more
}

// stop ends a load, and says whether it was under way.
func (u *underWayLoads) stop(id uint64) bool {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	stop, known := u.stops[id]
	if known {
		stop()
		delete(u.stops, id)
	}
	return known
}
