package patroni

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// DynamicConfig is the cluster's configuration in the distributed configuration
// store: ttl, loop_wait, postgresql.parameters … Any member's API will do.
//
// Keys that are not declared are left alone, except names under
// postgresql.parameters that were declared by an earlier apply: their list is
// kept in the configuration itself, under pigsty.parameters, and a name that is no
// longer declared is removed, so that the server's default applies again.
type DynamicConfig struct {
	API
	Cluster string // scope
	Desired Tree
	After   []string // keys of resources that come before
}

var _ resource.Requirer = DynamicConfig{}

const after = "after patroni starts" // what Change.Unknown says while no member answers

// Key returns "patroni config CLUSTER".
func (d DynamicConfig) Key() string { return "patroni config " + d.Cluster }

// Requires returns After.
func (d DynamicConfig) Requires() []string { return d.After }

// differences compares the configuration with the declared one.
func (d DynamicConfig) differences(have Tree) []difference {
	want := Tree{}
	for key, value := range d.Desired {
		want[key] = value
	}
	if have["synchronous_mode"] == "quorum" && want["synchronous_mode"] == true {
		delete(want, "synchronous_mode") // a kind of it, which somebody chose
	}
	declared := names(parameters(d.Desired))
	if declared == nil && recorded(have) == nil {
		return compare(have, want)
	}
	drop := map[string]any{} // parameters that are ours no longer
	for _, name := range recorded(have) {
		if !slices.Contains(declared, name) {
			drop[name] = nil
		}
	}
	out := compare(have, want)
	out = append(out, compare(have, Tree{"postgresql": map[string]any{"parameters": drop}})...)
	if ours, _ := object(have["pigsty"]); ours["paused"] == true && want["pause"] == nil {
		out = append(out, compare(have, Tree{"pause": nil, "pigsty": map[string]any{"paused": nil}})...)
	}
	return append(out, compare(have, Tree{"pigsty": map[string]any{"parameters": anys(declared)}})...)
}

// Pause makes t pause the cluster. That it was t is kept in it, so that the
// cluster goes on when a later one does not say so, but not when somebody else
// paused it.
func Pause(t Tree) {
	t["pause"] = true
	ours, _ := object(t["pigsty"])
	if ours == nil {
		ours = map[string]any{}
	}
	ours["paused"] = true
	t["pigsty"] = ours
}

func parameters(t Tree) map[string]any {
	p, _ := object(t["postgresql"])
	params, _ := object(p["parameters"])
	return params
}

// recorded returns the parameter names that an earlier apply declared.
func recorded(t Tree) []string {
	p, _ := object(t["pigsty"])
	list, _ := p["parameters"].([]any)
	var out []string
	for _, v := range list {
		out = append(out, text(v))
	}
	return out
}

// names returns the names that have a value, sorted.
func names(params map[string]any) []string {
	var out []string
	for name, value := range params {
		if value != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Diff compares key by key. Settings that only a start of PostgreSQL applies make
// the impact a restart; RollingRestart is what restarts.
func (d DynamicConfig) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	c, err := d.client(h)
	var have Tree
	var node Node
	if err == nil {
		have, err = c.Config(ctx)
	}
	if err == nil {
		node, err = c.Node(ctx)
	}
	if waiting(err) {
		return resource.Change{Unknown: after}, nil
	}
	if err != nil {
		return resource.Change{}, err
	}
	return classify(d.differences(have), node.ServerVersion), nil
}

// waiting reports whether err is of a cluster that is not there yet: nothing
// answers, or nothing was bootstrapped.
func waiting(err error) bool {
	var refused *Error
	return errors.Is(err, ErrUnreachable) ||
		errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadGateway || refused.Status == http.StatusServiceUnavailable)
}

// classify turns differences into a change with its impact.
func classify(differences []difference, version int) resource.Change {
	var c resource.Change
	var restart, shrunk []string
	for _, d := range differences {
		if d.path[0] == "pigsty" { // our own notes are not worth showing
			c.Action, c.Reason = resource.Update, "the list of managed parameters differs"
			continue
		}
		old, new := text(d.old), text(d.new)
		if name := d.name(); strings.Contains(name, "conninfo") || strings.Contains(name, "password") {
			old, new = secret.New(old).String(), secret.New(new).String()
		}
		c.Attrs = append(c.Attrs, resource.Attr{Name: d.name(), Old: old, New: new})
		if len(d.path) == 3 && d.path[0] == "postgresql" && d.path[1] == "parameters" {
			if name := d.path[2]; needsRestart(name, version) {
				restart = append(restart, name)
				if shrinks(name, text(d.old), text(d.new)) {
					shrunk = append(shrunk, name)
				}
			}
		}
	}
	if len(c.Attrs) == 0 {
		return c
	}
	c.Action, c.Reason, c.Impact = resource.Update, "differs", resource.ImpactReload
	if len(restart) > 0 {
		c.Reason = "differs; " + strings.Join(restart, ", ") + " need a restart of postgres"
		c.Impact = resource.ImpactRestart
	}
	if len(shrunk) > 0 {
		c.Note = strings.Join(shrunk, ", ") + " shrinks, so the leader restarts before its replicas"
	}
	return c
}

// Apply patches what differs. If that needs restarts it returns when the members
// have noticed, which they do within loop_wait.
func (d DynamicConfig) Apply(ctx context.Context, h *resource.Host) error {
	c, err := d.client(h)
	if err != nil {
		return err
	}
	have, err := c.Config(ctx)
	if err != nil {
		return err
	}
	node, err := c.Node(ctx)
	if err != nil {
		return err
	}
	differ := d.differences(have)
	if len(differ) == 0 {
		return nil
	}
	if err := c.PatchConfig(ctx, patch(differ)); err != nil {
		return fmt.Errorf("configuration of cluster %s: %w", d.Cluster, err)
	}
	if classify(differ, node.ServerVersion).Impact < resource.ImpactRestart {
		return nil
	}
	wait := 10 * time.Second
	if n, ok := have["loop_wait"].(float64); ok {
		wait = time.Duration(n * float64(time.Second))
	}
	want := map[string]any{}
	for _, e := range differ {
		if name := e.path[len(e.path)-1]; len(e.path) == 3 && e.path[1] == "parameters" && needsRestart(name, node.ServerVersion) {
			want[name] = e.new
		}
	}
	return c.settle(ctx, wait+2*time.Second, want)
}

// settle tells every member to look at the configuration now, and waits until
// each says that it waits for a restart with the settings of want, or wait is
// over: it says nothing when it runs with them, when its own configuration overrides
// them, or before Patroni 4. A member that restarted before it has seen the
// change would come back with the old settings.
func (c *Client) settle(ctx context.Context, wait time.Duration, want map[string]any) error {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return err
	}
	for _, m := range cluster.Members {
		_ = c.At(m.APIURL).Reload(ctx) // a member that is down learns of it when it starts
	}
	ctx2, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		noticed := true
		for _, m := range cluster.Members {
			if !m.Healthy() {
				continue
			}
			n, err := c.At(m.APIURL).Node(ctx2)
			for name, value := range want {
				reason, ok := n.PendingRestartReason[name]
				noticed = noticed && err == nil && ok && (value == nil || same(reason.New, value))
			}
		}
		if noticed {
			return nil
		}
		if pause(ctx2, 300*time.Millisecond) != nil {
			return ctx.Err()
		}
	}
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
