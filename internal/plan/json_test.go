package plan_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// of is a plan of one host in which the directories at paths differ in the given way.
func of(changes map[string]resource.Change) *plan.Plan {
	p := &plan.Plan{Request: plan.Request{Plays: []string{"pgsql"}, Limit: "h", Tags: []string{"pg_hba"}, Extra: []secret.Value{secret.New("a=b")}}}
	for _, path := range []string{"/a", "/b", "/c", "/d"} {
		if change, ok := changes[path]; ok {
			b := plan.NewBuilder("h", "X")
			b.Add(&resource.Dir{Path: path})
			p.Items = append(p.Items, plan.Item{Step: b.Steps()[0], Change: change})
		}
	}
	return p
}

func TestSaved(t *testing.T) {
	create := resource.Change{Action: resource.Create, Reason: "does not exist"}
	update := resource.Change{Action: resource.Update, Attrs: []resource.Attr{{Name: "mode", Old: "0700", New: "0755"}}}
	later := resource.Change{Action: resource.Update, Attrs: []resource.Attr{{Name: "mode", Old: "0711", New: "0755"}}}
	waits := resource.Change{Action: resource.Wait}
	file := filepath.Join(t.TempDir(), "saved.plan")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	then := map[string]resource.Change{"/a": create, "/b": update, "/c": {}, "/d": waits}
	if err := of(then).Save(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others may read it", info.Mode(), err)
	}
	saved, err := plan.ReadSaved(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := saved.Request; !slices.Equal(r.Plays, []string{"pgsql"}) || r.Limit != "h" || !slices.Equal(r.Tags, []string{"pg_hba"}) || len(r.Extra) != 1 || r.Extra[0].Reveal() != "a=b" {
		t.Errorf("it asks for %+v", r)
	}
	for _, c := range []struct {
		what string
		now  map[string]resource.Change
		want []string
	}{
		{"the same", then, nil},
		{"the same without what waits", map[string]resource.Change{"/a": create, "/b": update, "/c": {}, "/d": {}}, nil},
		{"one more", map[string]resource.Change{"/a": create, "/b": update, "/c": create}, []string{"h dir /c: was not to change when the plan was saved"}},
		{"otherwise", map[string]resource.Change{"/a": create, "/b": later}, []string{"h dir /b: would change differently now"}},
		{"done already", map[string]resource.Change{"/a": {}, "/b": {}}, []string{"h dir /a: has nothing to change any more", "h dir /b: has nothing to change any more"}},
		{"not declared any more", nil, []string{"h dir /a: is no longer part of the plan", "h dir /b: is no longer part of the plan"}},
	} {
		if got := saved.Differences(of(c.now)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	lost := of(map[string]resource.Change{"/a": {}, "/b": update})
	lost.Items[0].Error = "the host was not reached"
	if got := saved.Differences(lost); !slices.Equal(got, []string{"h dir /a: cannot be looked at: the host was not reached"}) {
		t.Errorf("a host that is lost: %q", got)
	}
}
