package resource_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

const (
	aptSource = "/etc/apt/sources.list.d/local.list"
	dnfSource = "/etc/yum.repos.d/local.repo"
	// carries is a lock as package repo writes it: a package and a file that is none.
	carries = "{\n \"format\": 1,\n \"packages\": [\n  {\"name\":\"vector\",\"version\":\"0.50\"},\n  {\"name\":\"pev2\",\"file\":\"pev2\"},\n  {\"name\":\"jq\",\"version\":\"1.7\"}\n ]\n}\n"
)

// agents is what a host installs: what it has, what the repository comes to
// have, and what it never has.
func agents() *resource.Packages {
	return &resource.Packages{Items: []resource.PackageItem{
		{Name: "curl"}, {Name: "vector-agent", Or: "vector", Optional: true}, {Name: "pev2", Optional: true}}}
}

// repository is the deployment's own on a server.
type repository struct {
	built time.Time
	lock  string
	asked atomic.Int32
}

func (r *repository) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.asked.Add(1)
	if q.URL.Path != "/pigsty/repo.lock" || r.lock == "" {
		http.NotFound(w, q)
		return
	}
	http.ServeContent(w, q, "", r.built, strings.NewReader(r.lock))
}

// client is a host that has curl and read its index an hour ago, and that
// installs from the repository at url.
func client(url string) *resourcetest.Host {
	h := resourcetest.New()
	h.Disk.Put(aptSource, "# managed, see http://example.com/\ndeb [signed-by=/etc/apt/keyrings/pigsty.asc] "+url+" ./\n")
	h.Apt.Have, h.Apt.Read = map[string]string{"curl": "8"}, time.Now().Add(-time.Hour)
	h.Apt.Remote = map[string]string{"vector": "0.50"}
	return h
}

// says is what a pass over h finds: of the index, of the packages, and of steps
// for which it takes vector or pev2.
func says(t *testing.T, h *resourcetest.Host) [4]string {
	t.Helper()
	var out [4]string
	index, err := (&resource.PackageIndex{}).Diff(ctx, h.Host)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := agents().Diff(ctx, h.Host)
	if err != nil {
		t.Fatal(err)
	}
	out[0], out[1] = show(index), show(packages)
	for i, name := range []string{"vector", "pev2"} {
		c, err := resource.Obtainable(ctx, h.Host, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		out[2+i] = c.Unknown + c.Skipped
	}
	return out
}

func TestNews(t *testing.T) {
	const none = "skipped: no configured repository has vector-agent and pev2; the rest goes on without"
	without := [4]string{"", none, "no configured repository has vector", "no configured repository has pev2"}
	coming := [4]string{"run: the deployment's repository has vector now",
		"create: not installed [known after the package index is read]\nvector:  → known then",
		"after the package index is read", "no configured repository has pev2"}
	later := time.Now()
	for _, c := range []struct {
		name  string
		built time.Time
		lock  string
		want  [4]string
	}{
		{"as old as the index", time.Now().Add(-2 * time.Hour), carries, without},
		{"built since", later, carries, coming},
		{"built since with what nobody wants", later, strings.ReplaceAll(carries, "vector", "hand"), without},
		{"made by another program", later, "", without},
		{"damaged", later, "<html>" + carries, without},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &repository{built: c.built, lock: c.lock}
			server := httptest.NewServer(r)
			defer server.Close()
			h := client(server.URL + "/pigsty")
			h.Want(agents())
			expect(t, "plan", says(t, h), c.want)
			expect(t, "again in the same pass", says(t, h), c.want)
			expect(t, "questions", r.asked.Load(), 1)
			h.Want(agents())
			expect(t, "the next pass", says(t, h), c.want)
			expect(t, "questions of two passes", r.asked.Load(), 2)
		})
	}

	r := &repository{built: later, lock: carries}
	server := httptest.NewServer(r)
	h := client(server.URL + "/pigsty")
	expect(t, "a pass that installs nothing", says(t, h)[0], "")
	h.Apt.Have["vector-agent"], h.Apt.Have["pev2"] = "1", "1"
	h.Want(agents())
	expect(t, "a host that has all", says(t, h), [4]string{2: "no configured repository has vector"})
	expect(t, "questions", r.asked.Load(), 0)
	server.Close()
	h = client(server.URL + "/pigsty")
	h.Want(agents())
	expect(t, "no answer", says(t, h), without)
	h = client("cdrom:")
	h.Want(agents())
	expect(t, "no repository of the deployment", says(t, h), without)
}

// What the repository has come to have is installed by the same run.
func TestNewsApplied(t *testing.T) {
	server := httptest.NewServer(&repository{built: time.Now().Add(-time.Minute), lock: carries})
	defer server.Close()
	h := client(server.URL + "/pigsty")
	h.Want(agents())
	says(t, h)
	if err := (&resource.PackageIndex{}).Apply(ctx, h.Host); err != nil {
		t.Fatal(err)
	}
	expect(t, "once the index is read", says(t, h), [4]string{"", "create: not installed\nvector:  → 0.50", "", "no configured repository has pev2"})

	// A run of other tags has no step for the index.
	h = client(server.URL + "/pigsty")
	h.Want(agents())
	run(t, h, agents(), step{"alone", nil, "create: not installed [known after the package index is read]\nvector:  → known then", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "refresh;install vector")

	// A package that is there and is not to be had, such as one that is held back,
	// is not promised twice.
	h = client(server.URL + "/pigsty")
	h.Apt.Remote = nil
	h.Want(agents())
	expect(t, "promised", says(t, h)[0], "run: the deployment's repository has vector now")
	if err := (&resource.PackageIndex{}).Apply(ctx, h.Host); err != nil {
		t.Fatal(err)
	}
	expect(t, "no more", says(t, h)[0]+says(t, h)[2], "no configured repository has vector")
}

// A repository that never answers holds no plan up: the host gives up asking.
func TestNewsThatTakeLong(t *testing.T) {
	t.Parallel()
	gaveUp := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gaveUp)
	}))
	defer server.Close()
	h := client(server.URL + "/pigsty")
	h.Want(agents())
	expect(t, "plan", says(t, h)[0], "")
	<-gaveUp
}

// The infra node has the repository on its disk, and dnf names it in another way.
func TestNewsOnDisk(t *testing.T) {
	for _, source := range []string{aptSource, dnfSource} {
		h := client("")
		if err := h.Disk.Remove(aptSource); err != nil {
			t.Fatal(err)
		}
		h.Disk.Put(source, "[local]\nname=packages of this deployment\nbaseurl=file:///www/pigsty\ngpgkey=file:///etc/pki/rpm-gpg/pigsty.asc\n")
		h.Disk.Put("/www/pigsty/repo.lock", carries)
		h.Apt.Read = h.Disk.Now().Add(-time.Minute)
		h.Want(agents())
		expect(t, source, says(t, h)[0], "run: the deployment's repository has vector now")
		h.Apt.Read = h.Disk.Now()
		expect(t, source+", read since", says(t, h)[0], "")
	}
}

// BenchmarkNothingNew is what noticing costs a host that has all it wants.
func BenchmarkNothingNew(b *testing.B) {
	h := client("http://127.0.0.1:9/pigsty")
	h.Apt.Have["vector"], h.Apt.Have["pev2"] = "1", "1"
	index := &resource.PackageIndex{}
	for b.Loop() {
		h.Want(agents())
		if c, err := index.Diff(ctx, h.Host); err != nil || !c.Empty() {
			b.Fatal(c, err)
		}
	}
}
