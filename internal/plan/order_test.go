package plan

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

// thing is a resource that only has a key and what it requires.
type thing struct {
	Name  string
	Needs []string
}

func (r *thing) Key() string        { return r.Name }
func (r *thing) Requires() []string { return r.Needs }
func (r *thing) Diff(context.Context, *resource.Host) (resource.Change, error) {
	return resource.Change{}, nil
}
func (r *thing) Apply(context.Context, *resource.Host) error { return nil }

func ids(g *Graph) []string {
	var out []string
	for _, s := range g.Steps {
		out = append(out, s.ID())
	}
	return out
}

func TestArrange(t *testing.T) {
	b := NewBuilder("h", "NODE")
	b.Tag("unit").Add(&thing{"unit u", []string{"file /etc/u/"}})
	b.Tag("conf").Add(&thing{Name: "file /etc/u/a"}, &thing{Name: "file /etc/u/b"})
	b.Tag("pkg").Add(&resource.Packages{Items: []resource.PackageItem{{Name: "u"}}})
	b.Early().Tag("user").Add(&thing{Name: "user u"})
	b.Tag("more").Add(&resource.Packages{Items: []resource.PackageItem{{Name: "v"}}})
	other := NewBuilder("o", "NODE")
	other.After(ID("h", "unit u")).Add(&thing{Name: "unit w"})
	all := append(other.Steps(), b.Steps()...)

	g, err := Arrange(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"h user u", "h packages", "h file /etc/u/a", "h file /etc/u/b", "h unit u", "o unit w"}
	if got := ids(g); !slices.Equal(got, want) {
		t.Errorf("order is\n %q, want\n %q", got, want)
	}
	if n := len(g.Step("h packages").Resource.(*resource.Packages).Items); n != 2 {
		t.Errorf("%d packages in the one transaction, want 2", n)
	}

	g, err = Arrange(all, []string{"unit"})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(g); !slices.Equal(got, []string{"h unit u"}) {
		t.Errorf("-t unit selects %q", got)
	}
}

func TestArrangeJoinsWhatTwoPlaysDeclare(t *testing.T) {
	one, two := NewBuilder("h", "NODE"), NewBuilder("h", "PGSQL")
	one.Tag("haproxy").Add(&thing{Name: "unit haproxy.service"})
	two.Tag("pg_service").Add(&thing{Name: "unit haproxy.service"})
	g, err := Arrange(append(one.Steps(), two.Steps()...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Steps) != 1 || !slices.Equal(g.Steps[0].Tags, []string{"haproxy", "pg_service"}) {
		t.Errorf("got %d steps, tags %q", len(g.Steps), g.Steps[0].Tags)
	}
	two.Add(&thing{"unit haproxy.service", []string{"something else"}})
	if _, err := Arrange(append(one.Steps(), two.Steps()...), nil); err == nil || !strings.Contains(err.Error(), "two different steps") {
		t.Errorf("two different resources of one key: %v", err)
	}
}

func TestArrangeFindsCycles(t *testing.T) {
	b := NewBuilder("h", "NODE")
	b.Add(&thing{"a", []string{"b"}}, &thing{"b", []string{"a"}})
	if _, err := Arrange(b.Steps(), nil); err == nil || !strings.Contains(err.Error(), "h a → h b → h a") {
		t.Errorf("a cycle: %v", err)
	}
}

// TestOnly has a step that is part of a run just when it is asked for by name.
func TestOnly(t *testing.T) {
	b := NewBuilder("h", "INFRA").Tag("store")
	b.Add(&thing{Name: "unit u"})
	b.Only("store_clean").Add(&thing{Name: "absent /data"})
	for _, c := range []struct{ tags, want string }{
		{"", "h unit u"}, {"store", "h unit u"}, {"all", "h unit u"}, {"store_clean", "h absent /data"}, {"store store_clean", "h unit u,h absent /data"},
	} {
		g, err := Arrange(b.Steps(), strings.Fields(c.tags))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(ids(g), ","); got != c.want {
			t.Errorf("-t %s: %s, want %s", c.tags, got, c.want)
		}
	}
}
