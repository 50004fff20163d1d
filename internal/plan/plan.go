package plan

import (
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// Plan is what a run would change: the steps in order with what was observed.
type Plan struct {
	Created time.Time
	Request Request
	Hosts   []HostState // every host that the plan covers, in inventory order
	Items   []Item      // every step, in an order in which each comes after what it depends on
}

// Request is what was asked for; a saved plan repeats it.
type Request struct {
	Plays []string `json:"plays"`
	Limit string   `json:"limit,omitempty"`
	Tags  []string `json:"tags,omitempty"`

	// Extra are the extra variables (-e) as they were given. Records hold
	// Shown instead, in which what may be a secret is masked.
	Extra []secret.Value `json:"-"`
	Shown []string       `json:"extra,omitempty"`
}

// HostState says how a host was reached.
type HostState struct {
	Name  string `json:"host"`
	Label string `json:"label,omitempty"` // what it is in the deployment, such as "pg-test-1"
	Only  string `json:"only,omitempty"`  // the one thing that is done there, such as "registration", of a host that others bring in
	Error string `json:"error,omitempty"` // why it could not be observed

	// Observing is how long the host itself took to be observed, without the way there.
	Observing time.Duration `json:"observing,omitempty"`
}

// Item is one step with what was observed for it.
type Item struct {
	Step   *Step
	Change resource.Change
	Error  string // why it could not be observed
}

// Counts sums up a plan.
type Counts struct {
	Hosts       int `json:"hosts"`
	Unreachable int `json:"unreachable"`
	Create      int `json:"create"`
	Update      int `json:"change"`
	Remove      int `json:"remove"`
	Reload      int `json:"reload"`
	Restart     int `json:"restart"`
	Run         int `json:"run"`
	Unknown     int `json:"unknown"`
	Skipped     int `json:"skipped"`
	Errors      int `json:"errors"`
}

// Changes returns how many steps would change something.
func (c Counts) Changes() int {
	return c.Create + c.Update + c.Remove + c.Reload + c.Restart + c.Run + c.Unknown
}

// Count sums up p.
func (p *Plan) Count() Counts {
	c := Counts{Hosts: len(p.Hosts)}
	for _, h := range p.Hosts {
		if h.Error != "" {
			c.Unreachable++
		}
	}
	for _, it := range p.Items {
		switch {
		case it.Error != "":
			c.Errors++
		case it.Change.Skipped != "":
			c.Skipped++
		case it.Change.Unknown != "":
			c.Unknown++
		}
		switch it.Change.Action {
		case resource.Create:
			c.Create++
		case resource.Update:
			c.Update++
		case resource.Remove:
			c.Remove++
		case resource.Reload:
			c.Reload++
		case resource.Restart:
			c.Restart++
		case resource.Run:
			c.Run++
		}
	}
	return c
}

// Empty reports whether everything observed is as desired.
func (p *Plan) Empty() bool { return p.Count().Changes() == 0 }

// Impact returns the strongest impact of any step.
func (p *Plan) Impact() resource.Impact {
	var worst resource.Impact
	for _, it := range p.Items {
		worst = max(worst, it.Change.Impact)
	}
	return worst
}
