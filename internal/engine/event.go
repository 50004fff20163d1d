// Package engine runs steps over many hosts: it connects, observes, applies in
// order, and tells what happens as it happens.
package engine

import (
	"time"

	"pigsty/internal/resource"
)

// EventType says what an Event is about.
type EventType string

// What can happen to a host: HostUp, HostDown. What can happen to a step: it
// starts, says something, is done (with its change), fails, or is blocked
// because something it depends on failed.
const (
	HostUp      EventType = "host-up"
	HostDown    EventType = "host-down"
	StepStart   EventType = "step-start"
	StepLog     EventType = "step-log"
	StepDone    EventType = "step-done"
	StepFailed  EventType = "step-failed"
	StepBlocked EventType = "step-blocked"
)

// Event is one thing that happened during a run.
type Event struct {
	Time    time.Time        `json:"time"`
	Type    EventType        `json:"type"`
	Host    string           `json:"host"`
	Step    string           `json:"step,omitempty"` // the resource's key
	Change  *resource.Change `json:"change,omitempty"`
	Text    string           `json:"text,omitempty"` // a line of progress, or the error
	Elapsed time.Duration    `json:"elapsed,omitempty"`
}

// Sink takes events. It is called from many goroutines, one call at a time.
type Sink func(Event)
