package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/engine"
	"pigsty/internal/module/list"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
	"pigsty/internal/secret"
)

// canary is what every secret of testdata/secrets.yml holds.
const canary = "CANARY"

// silent fails the test if text, said by what, has the canary in it.
func silent(t *testing.T, what, text string) {
	t.Helper()
	if i := strings.Index(text, canary); i >= 0 {
		t.Errorf("%s tells a secret: …%s…", what, text[max(0, i-80):min(len(text), i+40)])
	}
}

// TestCanaryInventory checks that no parameter which is a secret is missing in
// the inventory of the other tests here, and that excerpts hide them all.
func TestCanaryInventory(t *testing.T) {
	text, err := os.ReadFile("testdata/secrets.yml")
	if err != nil {
		t.Fatal(err)
	}
	d := loaded(t, "testdata/secrets.yml")
	for _, p := range d.catalogue.All() {
		if !p.Secret() {
			continue
		}
		line := regexp.MustCompile(`(?m)\b` + p.Name + `:.*(\n +- .*|\n +\w+: \{.*)*`).Find(text)
		if !bytes.Contains(line, []byte(canary)) {
			t.Errorf("%s is or holds a secret and is not in testdata/secrets.yml", p.Name)
		}
	}
	for line := range bytes.Lines(text) {
		shown, _ := diag.Hide(bytes.TrimSuffix(line, []byte("\n")), 1)
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			silent(t, "an excerpt", string(shown))
		}
	}
}

// TestCanaryPlan checks what a plan and the records of a run show of steps that
// change everything.
func TestCanaryPlan(t *testing.T) {
	d := loaded(t, "testdata/secrets.yml")
	p := &plan.Plan{Request: plan.Request{Plays: []string{"pgsql"}, Extra: []secret.Value{secret.New("pg_admin_password=" + canary)}}}
	r := &run{deployment: d, req: p.Request}
	r.app.inventories = nil
	for _, h := range d.inventory.Hosts() {
		p.Hosts = append(p.Hosts, plan.HostState{Name: h.Name()})
	}
	files := 0
	for _, s := range compiled(t, d) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			silent(t, s.ID()+" printed by "+verb, fmt.Sprintf(verb, s.Resource))
		}
		silent(t, "step "+s.ID(), fmt.Sprintf("%v %+v", *s, *s))
		text, err := json.Marshal(s.Resource)
		if err != nil {
			t.Errorf("%s: %v", s.ID(), err)
		}
		silent(t, s.ID()+" as JSON", string(text))
		for _, change := range changes(t, s.Resource) {
			if strings.Contains(string(content(s.Resource)), canary) {
				files++
			}
			p.Items = append(p.Items, plan.Item{Step: s, Change: change})
		}
	}
	if files == 0 {
		t.Error("no file has a secret in it, so this tests nothing")
	}
	var out bytes.Buffer
	p.Text(&out, plan.Style{Verbose: true})
	if err := p.JSON(&out); err != nil {
		t.Fatal(err)
	}
	silent(t, "the plan", out.String())
	silent(t, "its request", fmt.Sprintf("%v %+v %#v", p.Request, p.Request, p.Request))

	d.dir = t.TempDir()
	record, err := r.newRecord()
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range p.Items {
		record.event(engine.Event{Type: engine.StepDone, Host: it.Step.Host, Step: it.Step.Resource.Key(), Change: &it.Change})
	}
	record.end(&engine.Summary{})
	record.close()
	text, err := os.ReadFile(record.path)
	if err != nil {
		t.Fatal(err)
	}
	silent(t, "the record", string(text))
	if info, err := os.Stat(record.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record has the mode %v, %v", info.Mode(), err)
	}
}

func content(r resource.Resource) []byte {
	if f, ok := r.(*resource.File); ok {
		return f.Content()
	}
	return nil
}

// changes returns what r would change: on a new host, and of a file also on one
// where it has other secrets and other lines. Resources behind an API, which is
// not here, have a change that is made up.
func changes(t *testing.T, r resource.Resource) []resource.Change {
	t.Helper()
	typ := reflect.TypeOf(r)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if path.Base(typ.PkgPath()) != "resource" {
		return []resource.Change{{Action: resource.Update, Reason: "has changed"}}
	}
	h := resourcetest.New()
	var out []resource.Change
	if c, err := r.Diff(t.Context(), h.Host); err == nil {
		out = append(out, c)
	} else {
		silent(t, r.Key()+": its error", err.Error())
	}
	f, ok := r.(*resource.File)
	if !ok {
		return out
	}
	if err := h.Files.Mkdir(path.Dir(f.Path), 0o755, resource.Owner{}); err != nil && !strings.Contains(err.Error(), fs.ErrExist.Error()) {
		t.Logf("%s: %v", f.Path, err)
	}
	h.Disk.Put(f.Path, "first\n"+strings.ReplaceAll(string(f.Content()), canary, canary+"2")+"last\n")
	c, err := r.Diff(t.Context(), h.Host)
	if err != nil {
		t.Errorf("%s: %v", f.Key(), err)
	}
	return append(out, c)
}

// TestCanaryCommands runs commands on the inventory, sound and with mistakes, and
// looks at all that they print.
func TestCanaryCommands(t *testing.T) {
	text, err := os.ReadFile("testdata/secrets.yml")
	if err != nil {
		t.Fatal(err)
	}
	run := func(inventory string, args ...string) (int, string) {
		file := filepath.Join(t.TempDir(), "pigsty.yml")
		if err := os.WriteFile(file, []byte(inventory), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		status := Main(append(append([]string{"pigsty"}, args...), "-i", file), strings.NewReader(""), &out, &out)
		silent(t, strings.Join(args, " "), out.String())
		return status, out.String()
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"validate"}, {"validate", "--json"}, {"list"}, {"list", "--json"}, {"get", "10.10.10.10", "--all"}, {"get", "10.10.10.10", "--all", "--json"},
		{"render", "-o", filepath.Join(dir, "out")},
		{"validate", "-e", "pg_admin_password=" + canary}, // the last of its flags that is not shown anywhere
	} {
		if status, out := run(string(text), args...); status != exitDone {
			t.Errorf("%q ends with %d: %s", args, status, out)
		}
	}
	for _, extra := range []string{
		"pg_admin_password='" + canary, "pg_admin_password=a " + canary, "{pg_admin_password: " + canary,
		"{pg_admin_password: [" + canary + "]}", "pg_users=" + canary, `{pg_users: [{name: a, password: [` + canary + `]}]}`, "[" + canary + "]",
	} {
		if status, out := run(string(text), "plan", "-e", extra); status != exitInvalid {
			t.Errorf("-e %q ends with %d: %s", extra, status, out)
		}
	}
	mistakes := 0
	for _, replace := range [][2]string{
		{"password: ", "passwrod: 1, password: "}, {"name: app, ", "nmae: app, "}, {": CANARY", ": [ CANARY ]"}, {": CANARY", ": { CANARY: 1 }"},
		{" }", ""}, {"{", ""}, {"]", ""}, {"pgbouncer: true", "pgbouncer: ye"}, {"    pg_admin_password", "\tpg_admin_password"},
		{"roles: [dbrole_admin]", "roles: [dbrole_adm]"}, {": CANARY", ": 'CANARY"}, {": CANARY", ": \"CANARY\\q\""}, {": CANARY", ": CANARY: x"},
		{": CANARY", ": \"{{ nothing }}CANARY\""}, {": CANARY", ": *CANARY"}, {": CANARY", ": !vault CANARY"},
		{" vars:", " vasr:"}, {"_password: ", "_pasword: "}, {"pg_role: primary", "pg_role: boss"},
	} {
		parts := strings.Split(string(text), replace[0])
		for i := 0; i < len(parts)-1; i += 1 + len(parts)/8 {
			wrong := strings.Join(parts[:i+1], replace[0]) + replace[1] + strings.Join(parts[i+1:], replace[0])
			status, out := run(wrong, "validate")
			if status == exitInvalid {
				mistakes++
			} else if status != exitDone {
				t.Errorf("%q for %q ends with %d: %s", replace[1], replace[0], status, out)
			}
		}
	}
	if mistakes < 50 {
		t.Errorf("only %d of the inventories have a mistake", mistakes)
	}
}

// TestExtraInRecords checks that records and plans show extra variables but for
// what may be a secret, and that only a saved plan, which is its owner's, has all.
func TestExtraInRecords(t *testing.T) {
	a := &app{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}, modules: list.All(), inventories: []string{"testdata/secrets.yml"}}
	f := runFlags{extra: []string{
		"pg_port=5433 pg_admin_password=" + canary, "username=app", "mine=" + canary,
		"{pg_port: 5444}", "{pg_port: 5444, pgsodium_key: " + canary + "}",
	}}
	r, _, err := a.prepare(f.request([]string{"pgsql"}))
	if err != nil {
		t.Fatal(err, a.err)
	}
	want := []string{
		"pg_port=5433 pg_admin_password=******", "username=app", "mine=******",
		"{pg_port: 5444}", "{pg_port: ******, pgsodium_key: ******}",
	}
	if !reflect.DeepEqual(r.req.Shown, want) {
		t.Errorf("shown are %q, want %q", r.req.Shown, want)
	}
	p := &plan.Plan{Request: r.req}
	var out bytes.Buffer
	if err := p.JSON(&out); err != nil {
		t.Fatal(err)
	}
	silent(t, "the plan", out.String())

	file := filepath.Join(t.TempDir(), "saved.plan")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the saved plan has the mode %v, %v", info.Mode(), err)
	}
	saved, err := plan.ReadSaved(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range saved.Request.Extra {
		if e.Reveal() != f.extra[i] {
			t.Errorf("extra variables %q became %q", f.extra[i], e.Reveal())
		}
	}
	if len(saved.Request.Extra) != len(f.extra) {
		t.Errorf("%d extra variables became %d", len(f.extra), len(saved.Request.Extra))
	}
}
