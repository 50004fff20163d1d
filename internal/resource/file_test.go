package resource_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
	"pigsty/internal/secret"
)

func TestFile(t *testing.T) {
	h := resourcetest.New()
	f := resource.NewFile("/etc/app/app.conf", "port: 1\n  password: new\n", resource.Mode(0o640), resource.Masking("password:"))
	run(t, h, f,
		step{"absent", nil, `create: does not exist
mode:  → 0640
owner:  → root:root
@@ -0,0 +1,2 @@
+port: 1
+  password: ******`, ""},
		step{"the same", nil, "", ""},
		step{"edited by hand", func(h *resourcetest.Host) {
			_ = h.Disk.Write(f.Path, []byte("port: 2\n  password: old\n"), 0o640, resource.Owner{})
		}, `change: edited by hand since the last apply
@@ -1,2 +1,2 @@
-port: 2
-  password: ******
+port: 1
+  password: ******`, ""},
		step{"secret only", func(h *resourcetest.Host) {
			_ = h.Disk.Write(f.Path, []byte("port: 1\n  password: old\n"), 0o640, resource.Owner{})
		}, `change: edited by hand since the last apply
@@ -1,2 +1,2 @@
 port: 1
-  password: ******
+  password: ******`, ""},
		step{"mode", func(h *resourcetest.Host) { _ = h.Disk.Chmod(f.Path, 0o666) }, "change: differs\nmode: 0666 → 0640", ""},
		step{"owner", func(h *resourcetest.Host) { _ = h.Disk.Chown(f.Path, resource.Owner{User: "nobody"}) },
			"change: differs\nowner: nobody:root → root:root", ""},
		step{"a directory", func(h *resourcetest.Host) {
			_ = h.Disk.Remove(f.Path)
			_ = h.Disk.Mkdir(f.Path, 0o755, resource.Owner{})
		}, "", "/etc/app/app.conf is a directory where a file should be: move it away (mv /etc/app/app.conf /etc/app/app.conf.old) and apply again"},
		step{"a link", func(h *resourcetest.Host) {
			_ = h.Disk.Remove(f.Path)
			_ = h.Disk.Link(f.Path, "other")
		}, "", "is a link to other where a file should be"},
	)
	next := resource.NewFile(f.Path, "port: 3\n")
	_ = h.Disk.Remove(f.Path)
	_ = h.Disk.Write(f.Path, f.Content(), 0o644, resource.Owner{})
	run(t, h, next, step{"another version wanted", nil, `change: content differs
@@ -1,2 +1 @@
-port: 1
-  password: new
+port: 3`, ""})
}

func TestFileLastLine(t *testing.T) {
	h := resourcetest.New()
	h.Disk.Put("/etc/x", "a")
	run(t, h, resource.NewFile("/etc/x", "a\n"), step{"line end", nil,
		"change: content differs\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a", ""})
}

func TestFileKinds(t *testing.T) {
	h := resourcetest.New()
	run(t, h, resource.NewFile("/etc/key", "secret", resource.Hidden(), resource.Mode(0o600)),
		step{"hidden", nil, "create: does not exist\nmode:  → 0600\nowner:  → root:root\ncontent:  → ******", ""},
		step{"hidden change", func(h *resourcetest.Host) {
			_ = h.Disk.Write("/etc/key", []byte("other"), 0o600, resource.Owner{})
		}, "change: edited by hand since the last apply\ncontent: ****** → ******", ""})
	binary := resource.NewFile("/etc/bin", []byte{0, 1, 2})
	run(t, h, binary, step{"binary", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\nsize:  → 3\nsha256:  → " + binary.Hash, ""})
	big := resource.NewFile("/etc/big", strings.Repeat("x\n", 40<<10))
	run(t, h, big, step{"big", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\nsize:  → 81920\nsha256:  → " + big.Hash, ""})

	h.Disk.Put("/etc/seed", "theirs")
	run(t, h, resource.NewFile("/etc/seed", "ours", resource.Seed(), resource.Mode(0o600)), step{"seed", nil, "", ""})
	expect(t, "seed", h.Disk.Text("/etc/seed"), "theirs")
}

func TestFileCheck(t *testing.T) {
	h := resourcetest.New()
	h.Disk.Put("/etc/app.yml", "old\n")
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		if strings.Contains(h.Disk.Text(c.Args[1]), "bad") {
			return nil, &resource.CommandError{Args: c.Args, Code: 1, Output: "line 1: bad"}
		}
		return nil, nil
	}
	run(t, h, resource.NewFile("/etc/app.yml", "bad\n", resource.CheckedBy("app", "%s")),
		step{"refused", nil, "", "the new /etc/app.yml is not valid and was not put in place: app exited with status 1: line 1: bad"})
	expect(t, "content", h.Disk.Text("/etc/app.yml"), "old\n")
	run(t, h, resource.NewFile("/etc/app.yml", "good\n", resource.CheckedBy("app", "%s")),
		step{"accepted", nil, "change: content differs\n@@ -1 +1 @@\n-old\n+good", ""})
	candidate := h.Shell.Ran()[1].Args[1]
	if !strings.HasSuffix(candidate, "/app.yml") || strings.HasPrefix(candidate, "/etc") {
		t.Errorf("the candidate was %s", candidate)
	}
	if _, err := h.Disk.Stat(candidate); err == nil {
		t.Error("the candidate is still there")
	}
}

// TestFileOnTheWire sees that content stays behind and is fetched only when it differs.
func TestFileOnTheWire(t *testing.T) {
	resource.Register(resource.All()...)
	var wire bytes.Buffer
	var in, out resource.Resource = resource.NewFile("/etc/x", "some content"), nil
	if err := gob.NewEncoder(&wire).Encode(&in); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wire.Bytes(), []byte("some content")) {
		t.Error("the content went with the file")
	}
	if err := gob.NewDecoder(&wire).Decode(&out); err != nil {
		t.Fatal(err)
	}
	h := resourcetest.New()
	run(t, h, out, step{"not offered", nil, "", "fetch the content of /etc/x"})
	h.Master.Offer([]byte("some content"))
	run(t, h, out, step{"offered", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\n@@ -0,0 +1 @@\n+some content\n\\ No newline at end of file", ""})
	n, w := h.Master.Fetched(), h.Disk.Writes()
	run(t, h, out, step{"again", nil, "", ""})
	expect(t, "fetched again", h.Master.Fetched(), n)
	expect(t, "written again", h.Disk.Writes(), w)
}

func TestDir(t *testing.T) {
	h := resourcetest.New()
	run(t, h, &resource.Dir{Path: "/data/pg", Mode: 0o700, Owner: resource.Owner{User: "postgres", Group: "postgres"}},
		step{"absent", nil, "create: does not exist\nmode:  → 0700\nowner:  → postgres:postgres", ""},
		step{"mode", func(h *resourcetest.Host) { _ = h.Disk.Chmod("/data/pg", 0o755) }, "change: differs\nmode: 0755 → 0700", ""},
		step{"owner", func(h *resourcetest.Host) { _ = h.Disk.Chown("/data/pg", resource.Owner{}) },
			"change: differs\nowner: root:root → postgres:postgres", ""},
		step{"moved behind a link", func(h *resourcetest.Host) {
			_ = h.Disk.Remove("/data/pg")
			_ = h.Disk.Mkdir("/disk2/pg", 0o755, resource.Owner{User: "postgres", Group: "postgres"})
			_ = h.Disk.Link("/data/pg", "../disk2/pg")
		}, "change: differs\nmode: 0755 → 0700", ""},
		step{"dangling", func(h *resourcetest.Host) { _ = h.Disk.Remove("/disk2/pg") }, "", "/data/pg is a link to /disk2/pg, which does not exist"},
		step{"a file", func(h *resourcetest.Host) {
			_ = h.Disk.Remove("/data/pg")
			h.Disk.Put("/data/pg", "x")
		}, "", "/data/pg is not a directory: move it away"},
	)
	run(t, h, &resource.Dir{Path: "/srv/shared", Mode: 0o2775 &^ 0o2000},
		step{"plain", nil, "create: does not exist\nmode:  → 0775\nowner:  → root:root", ""})
}

func TestLink(t *testing.T) {
	h := resourcetest.New()
	run(t, h, &resource.Link{Path: "/etc/pg", Target: "/data/pg"},
		step{"absent", nil, "create: does not exist\ntarget:  → /data/pg", ""},
		step{"elsewhere", func(h *resourcetest.Host) { _ = h.Disk.Link("/etc/pg", "/x") }, "change: differs\ntarget: /x → /data/pg", ""},
		step{"a directory", func(h *resourcetest.Host) {
			_ = h.Disk.Remove("/etc/pg")
			_ = h.Disk.Mkdir("/etc/pg", 0o755, resource.Owner{})
		}, "", "/etc/pg exists and is not a link"})
	run(t, h, &resource.Link{Path: "/pg", Target: "/data/pg-18", Keep: "another version has its data there"},
		step{"what it led to is gone", func(h *resourcetest.Host) { _ = h.Disk.Link("/pg", "/data/pg-16") }, "change: differs\ntarget: /data/pg-16 → /data/pg-18", ""},
		step{"it leads to data", func(h *resourcetest.Host) {
			_ = h.Disk.Mkdir("/data/pg-17", 0o755, resource.Owner{})
			_ = h.Disk.Link("/pg", "/data/pg-17")
		}, "", "/pg leads to /data/pg-17 and not to /data/pg-18: another version has its data there"})
}

func TestAbsent(t *testing.T) {
	h := resourcetest.New()
	run(t, h, &resource.Absent{Path: "/etc/old"},
		step{"absent", nil, "", ""},
		step{"there", func(h *resourcetest.Host) { h.Disk.Put("/etc/old", "x") }, "remove: no longer wanted", ""},
		step{"full directory", func(h *resourcetest.Host) { h.Disk.Put("/etc/old/x", "x") }, "", "not empty"})
	run(t, h, &resource.Absent{Path: "/data/pg", Tree: true, Reason: "the cluster is removed", Impact: resource.ImpactDataLoss},
		step{"tree", func(h *resourcetest.Host) { h.Disk.Put("/data/pg/x/y", "x") }, "remove: the cluster is removed (data loss)", ""})
	empty := &resource.Absent{Path: "/etc/app.d", Empty: true}
	run(t, h, empty, step{"no directory", nil, "", ""},
		step{"of others, too", func(h *resourcetest.Host) { h.Disk.Put("/etc/app.d/a", "x"); h.Disk.Put("/etc/app.d/b", "x") }, "", ""})
	h.SetPending("absent /etc/app.d/a", resource.Change{Action: resource.Remove, Paths: []string{"/etc/app.d/a"}})
	run(t, h, empty, step{"one stays", nil, "", ""})
	h.SetPending("prune /etc/app.d/*", resource.Change{Action: resource.Remove, Paths: []string{"/etc/app.d/b"}})
	if c, err := empty.Diff(ctx, h.Host); err != nil || c.Action != resource.Remove {
		t.Errorf("what is in it goes: %v %v", c, err)
	}
	run(t, h, empty, step{"empty", func(h *resourcetest.Host) { _ = h.Disk.Remove("/etc/app.d/a"); _ = h.Disk.Remove("/etc/app.d/b") }, "remove: no longer wanted", ""})
	for _, p := range []string{"/", "/etc", "", "/data/../etc", "/data/pg/", "data/pg"} {
		run(t, h, &resource.Absent{Path: p, Tree: true}, step{p, nil, "", "refusing to remove"})
	}
}

func TestPrune(t *testing.T) {
	h := resourcetest.New()
	p := &resource.Prune{Dir: "/etc/haproxy", Glob: "svc-*.cfg", Header: "# pigsty", Keep: []string{"svc-b.cfg"}}
	run(t, h, p,
		step{"no directory", nil, "", ""},
		step{"some", func(h *resourcetest.Host) {
			h.Disk.Put("/etc/haproxy/svc-a.cfg", "# pigsty\na")
			h.Disk.Put("/etc/haproxy/svc-b.cfg", "# pigsty\nb")
			h.Disk.Put("/etc/haproxy/svc-c.cfg", "theirs\n# pigsty\n")
			h.Disk.Put("/etc/haproxy/svc-d.cfg", "# pigsty: of x\n")
			h.Disk.Put("/etc/haproxy/other.cfg", "# pigsty\n")
		}, "remove: no longer in the inventory\nsvc-a.cfg: present → ", ""},
		step{"those that begin alike", func(*resourcetest.Host) { p.Begins = "# pigsty: of " },
			"remove: no longer in the inventory\nsvc-d.cfg: present → ", ""})
	list, _ := h.Disk.List("/etc/haproxy")
	expect(t, "left", strings.Join(list, " "), "other.cfg svc-b.cfg svc-c.cfg")
	run(t, h, &resource.Prune{Dir: "/etc"}, step{"no header", nil, "", "no header"})
}

func TestLines(t *testing.T) {
	h := resourcetest.New()
	l := &resource.Lines{Path: "/etc/hosts", Marker: "# pigsty dns", Lines: []string{"10.0.0.1 a", "10.0.0.2 b"}}
	h.Disk.Put("/etc/hosts", "127.0.0.1 localhost\n10.0.0.9 old # pigsty dns\n::1 ip6")
	run(t, h, l, step{"replace", nil, `change: lines differ
@@ -1,3 +1,4 @@
 127.0.0.1 localhost
-10.0.0.9 old # pigsty dns
+10.0.0.1 a # pigsty dns
+10.0.0.2 b # pigsty dns
 ::1 ip6
\ No newline at end of file`, ""})
	expect(t, "hosts", h.Disk.Text("/etc/hosts"), "127.0.0.1 localhost\n10.0.0.1 a # pigsty dns\n10.0.0.2 b # pigsty dns\n::1 ip6")
	for _, c := range []struct{ old, want string }{
		{"", "# b begin\nx\n# b end\n"},
		{"k", "k\n# b begin\nx\n# b end\n"},
		{"k\n# b begin\ny\nz\n# b end\nl\n", "k\n# b begin\nx\n# b end\nl\n"},
		{"# b begin\nl\n", "# b begin\nx\n# b end\nl\n"},
	} {
		h.Disk.Put("/etc/b", c.old)
		if _, after, err := h.Converge(ctx, &resource.Lines{Path: "/etc/b", Marker: "# b", Lines: []string{"x"}, Block: true}); err != nil || !after.Empty() {
			t.Errorf("%q: %v %v", c.old, after, err)
		}
		expect(t, c.old, h.Disk.Text("/etc/b"), c.want)
	}
	run(t, h, &resource.Lines{Path: "/etc/b", Marker: "# b", Block: true}, step{"none", nil, "change: lines differ\n@@ -1,4 +1 @@\n-# b begin\n-x\n-# b end\n l", ""})
	run(t, h, &resource.Lines{Path: "/etc/none", Marker: "#"}, step{"nothing to say", nil, "", ""})
	elsewhere := &resource.Lines{Path: "/root/.conf", Marker: "#", Lines: []string{"x"}, Beside: "/infra"}
	if c, _, err := h.Converge(ctx, elsewhere); err != nil || !strings.Contains(c.Skipped, "/infra is not there") || h.Disk.Text("/root/.conf") != "" {
		t.Errorf("lines for what is not set up: %+v, %v", c, err)
	}
	h.Disk.Put("/infra/conf", "")
	if c, after, err := h.Converge(ctx, elsewhere); err != nil || c.Skipped != "" || !after.Empty() || h.Disk.Text("/root/.conf") != "x #\n" {
		t.Errorf("lines for what is set up: %+v, %v, %v", c, after, err)
	}
}

func TestManifest(t *testing.T) {
	h := resourcetest.New()
	run(t, h, resource.NewFile("/etc/x", "x"), step{"create", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file", ""})
	if err := h.Manifest.Save(h.Files); err != nil {
		t.Fatal(err)
	}
	w := h.Disk.Writes()
	m, err := resource.LoadManifest(h.Files)
	if err != nil {
		t.Fatal(err)
	}
	h.Manifest = m
	run(t, h, resource.NewFile("/etc/x", "x"), step{"again", nil, "", ""})
	if err := errors.Join(h.Manifest.Save(h.Files), m.Save(h.Files)); err != nil {
		t.Fatal(err)
	}
	expect(t, "writes of an empty run", h.Disk.Writes(), w)
	hash, ok := m.File("/etc/x")
	expect(t, "remembered", ok && hash != "", true)
	h.Disk.Put(resource.ManifestPath, "{")
	if m, err := resource.LoadManifest(h.Files); err != nil || m == nil {
		t.Errorf("a broken manifest: %v", err)
	}
}

func TestFileCheckedWithin(t *testing.T) {
	h := resourcetest.New()
	var seen string
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		config, _ := h.Disk.Read(c.Args[2])
		_, path, _ := strings.Cut(strings.TrimSpace(string(config)), " ")
		content, err := h.Disk.Read(path)
		if seen = string(content); err != nil || strings.Contains(seen, "bad") {
			return nil, errors.New("unknown directive")
		}
		return nil, nil
	}
	site := func(content string) *resource.File {
		return resource.NewFile("/etc/nginx/conf.d/site.conf", content, resource.CheckedWithin("include %s\n", "nginx", "-c", "%s"))
	}
	run(t, h, site("good\n"), step{"good", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\n@@ -0,0 +1 @@\n+good", ""})
	run(t, h, site("bad\n"), step{"bad", nil, "", "the new /etc/nginx/conf.d/site.conf is not valid and was not put in place: unknown directive"})
	if data, _ := h.Disk.Read("/etc/nginx/conf.d/site.conf"); string(data) != "good\n" {
		t.Errorf("the file was replaced by %q", data)
	}
}

func TestFileYielding(t *testing.T) {
	h := resourcetest.New()
	f := resource.NewFile("/etc/a.yml", "# ours\nx: 1\n", resource.Yielding("# ours"))
	run(t, h, f, step{"absent", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\n@@ -0,0 +1,2 @@\n+# ours\n+x: 1", ""})
	run(t, h, f, step{"ours, edited", func(h *resourcetest.Host) {
		_ = h.Disk.Write(f.Path, []byte("# ours\nx: 2\n"), 0o644, resource.Owner{})
	},
		"change: edited by hand since the last apply\n@@ -1,2 +1,2 @@\n # ours\n-x: 2\n+x: 1", ""})
	_ = h.Disk.Write(f.Path, []byte("x: 3\n"), 0o600, resource.Owner{})
	if c, err := f.Diff(ctx, h.Host); err != nil || c.Skipped == "" || !c.Empty() {
		t.Errorf("somebody else's file: %+v, %v", c, err)
	}
	if err := f.Apply(ctx, h.Host); err != nil {
		t.Error(err)
	}
	if data, _ := h.Disk.Read(f.Path); string(data) != "x: 3\n" {
		t.Errorf("somebody else's file was replaced by %q", data)
	}
}

func TestFileVisits(t *testing.T) {
	h := resourcetest.New()
	f := resource.NewFile("/infra/targets/node/a.yml", "x\n")
	f.Visits = true
	if c, err := f.Diff(ctx, h.Host); err != nil || !c.Empty() || !strings.Contains(c.Skipped, "/infra/targets/node is not there") {
		t.Errorf("without its directory: %+v, %v", c, err)
	}
	_ = h.Disk.Mkdir("/infra/targets/node", 0o755, resource.Owner{})
	run(t, h, f, step{"with it", nil, "create: does not exist\nmode:  → 0644\nowner:  → root:root\n@@ -0,0 +1 @@\n+x", ""})
}

func TestLinkPrefers(t *testing.T) {
	h := resourcetest.New()
	l := &resource.Link{Path: "/etc/site.crt", Target: "/etc/own.crt", Prefer: "/etc/letsencrypt/site.pem"}
	run(t, h, l, step{"first", nil, "create: does not exist\ntarget:  → /etc/own.crt", ""},
		step{"what it prefers is there", func(h *resourcetest.Host) {
			_ = h.Disk.Mkdir("/etc/letsencrypt", 0o755, resource.Owner{})
			_ = h.Disk.Write(l.Prefer, nil, 0o644, resource.Owner{})
		}, "change: differs\ntarget: /etc/own.crt → /etc/letsencrypt/site.pem", ""})
}

func TestLinesHidden(t *testing.T) {
	h := resourcetest.New()
	l := &resource.Lines{Path: "/root/.pgpass", Marker: "# ours", Block: true, Private: []secret.Value{secret.New("*:*:*:u:secret")}, Mode: 0o600}
	_ = h.Disk.Write(l.Path, []byte("theirs\n"), 0o644, resource.Owner{})
	run(t, h, l, step{"added", nil, "change: lines differ\nlines:  → ******", ""})
	data, _ := h.Disk.Read(l.Path)
	info, _ := h.Disk.Stat(l.Path)
	expect(t, "file", string(data), "theirs\n# ours begin\n*:*:*:u:secret\n# ours end\n")
	expect(t, "mode", info.Mode.Perm(), 0o600)
	run(t, h, &resource.Lines{Path: l.Path, Marker: "# ours", Block: true, Hidden: true}, step{"removed", nil, "change: lines differ\nlines:  → ******", ""})
	data, _ = h.Disk.Read(l.Path)
	expect(t, "file", string(data), "theirs\n")

	dropped := &resource.Lines{Path: l.Path, Marker: "# ours", Block: true, Hidden: true, Drop: true}
	run(t, h, dropped, step{"somebody else's", nil, "", ""})
	h.Disk.Put(l.Path, "# ours begin\n*:*:*:u:secret\n# ours end\n")
	run(t, h, dropped, step{"ours alone", nil, "remove: only our lines are in it\nlines:  → ******", ""})
	if _, err := h.Disk.Stat(l.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestOriginal(t *testing.T) {
	h := resourcetest.New()
	f := resource.NewFile("/etc/app.conf", "# ours\nx\n", resource.Keeping("# ours"))
	o := &resource.Original{Path: f.Path, Header: "# ours"}
	read := func() string { data, _ := h.Disk.Read(f.Path); return string(data) }
	put := func(content string) { _ = h.Disk.Write(f.Path, []byte(content), 0o640, resource.Owner{User: "app"}) }
	_ = h.Disk.Mkdir("/etc", 0o755, resource.Owner{})
	put("theirs\n")
	for _, again := range []string{"", "# ours\nedited\n"} { // the second time it is ours already
		if again != "" {
			put(again)
		}
		if err := f.Apply(ctx, h.Host); err != nil {
			t.Fatal(err)
		}
	}
	run(t, h, o, step{"put back", nil, "change: what was there before comes back", ""})
	info, _ := h.Disk.Stat(f.Path)
	expect(t, "content", read(), "theirs\n")
	expect(t, "mode", info.Mode.Perm(), 0o640)
	put("# ours\nx\n")
	run(t, h, o, step{"there was nothing", nil, "remove: no longer wanted", ""})
	put("theirs\n")
	run(t, h, o, step{"not ours", nil, "", ""})
}
