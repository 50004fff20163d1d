package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/param"
	"pigsty/internal/pki"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/resource"
	"pigsty/internal/vault"
)

// deployment is a loaded inventory with what lies beside it.
type deployment struct {
	app       *app
	dir       string // where the (first) inventory lies
	inventory *inventory.Inventory
	catalogue *param.Catalogue
	texts     map[string][]byte // the sources, for messages
	problems  diag.List
}

// load reads and checks the inventory. Mistakes do not make an error here: see check.
func (a *app) load(extra []string) (*deployment, error) {
	paths := a.inventoryPaths()
	d := &deployment{app: a, dir: dirOf(paths[0]), texts: map[string][]byte{}}
	sources, problems, err := inventory.Read(paths, a.in)
	if err != nil {
		return nil, unreadable(err)
	}
	for _, src := range sources {
		if !vault.Is(src.Data) { // positions in a vault are those of the text within
			d.texts[src.Name] = src.Data
		}
	}
	keys := vault.NewKeyring(a.vaultKeys)
	d.inventory, d.problems = inventory.LoadLocked(keys, sources...)
	d.problems.Add(problems...)
	d.problems.Add(d.inventory.SetExtra(extra)...)
	if err := keys.Err(); err != nil {
		return nil, status(exitInvalid, "the password of the vault: %v", err)
	}
	a.hide(d.inventory.Decrypted())
	d.catalogue = a.catalogue()
	d.inventory.SetDefaults(defaultsOf(d.catalogue))
	d.inventory.SetSecrets(d.catalogue.MapSecrets)
	d.problems.Add(d.inventory.Check()...)
	if d.problems.HasErrors() {
		d.problems = d.problems.Masked(d.texts)
		return d, nil
	}
	site := d.site(nil)
	if len(site.Hosts()) == 0 {
		d.problems.Add(diag.Diagnostic{
			Code: "no-hosts", Pos: diag.Pos{File: sources[0].Name}, Message: "the inventory has no hosts",
			Advice: `declare them in groups below "all:", "children:"`,
		})
	}
	d.problems.Add(module.Check(site, a.modules)...)
	d.problems = d.problems.Masked(d.texts)
	return d, nil
}

// defaultsOf looks up the defaults of parameters, for references to them.
func defaultsOf(cat *param.Catalogue) func(name string) (inventory.Value, bool) {
	return func(name string) (inventory.Value, bool) {
		p, ok := cat.Lookup(name)
		if !ok || p.Default.Kind == inventory.Null {
			return inventory.Value{}, false
		}
		return p.Default, true
	}
}

// inventoryPaths are what -i names, or stands for it.
func (a *app) inventoryPaths() []string {
	if len(a.inventories) > 0 {
		return a.inventories
	}
	return []string{cmp.Or(os.Getenv("PIGSTY_INVENTORY"), "pigsty.yml")}
}

// dirOf returns where the inventory called path lies, or what is kept beside it.
func dirOf(path string) string {
	if path == "-" {
		return "."
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// unreadable says that the inventory could not be read because of err.
func unreadable(err error) error {
	var file *fs.PathError
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &file) {
		return status(exitInvalid, "there is no inventory %s; name one with -i FILE or $PIGSTY_INVENTORY", file.Path)
	}
	return status(exitInvalid, "read the inventory: %v", err)
}

// site makes what modules compile from.
func (d *deployment) site(facts map[string]resource.Facts) *module.Site {
	s := module.NewSite(d.inventory, d.catalogue, facts)
	s.Dir = d.dir
	s.CA, _ = pki.Bundle(d.pkiDir())
	_, key := pgp.Paths(d.pkiDir())
	s.RepoKey, _ = os.ReadFile(key)
	s.Modules = d.app.modules
	s.Keys = ownKeys()
	s.Chosen = map[string]string{}
	for _, name := range choices {
		if len(s.Hosts()) == 0 {
			break
		}
		// an extra variable is the same for every host
		if v, ok := s.Hosts()[0].Vars.Get(name); ok && v.Origin.Kind == inventory.OriginExtra {
			s.Chosen[name] = v.Value.Text
		}
	}
	return s
}

// hides reports whether the value of an extra variable called name is kept out
// of records. Only what is known to be no secret is shown there.
func (d *deployment) hides(name string) bool {
	if slices.Contains(choices, name) {
		return false
	}
	p, known := d.catalogue.Lookup(name)
	return !known || p.Secret()
}

// choices are the variables by which a play is told what it is about.
var choices = []string{"username", "dbname"}

func (d *deployment) pkiDir() string { return filepath.Join(d.dir, "files", "pki") }

// ownKeys returns the public SSH keys of the user who runs this.
func ownKeys() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(home, ".ssh", "id*.pub"))
	var keys []string
	for _, p := range paths {
		if text, err := os.ReadFile(p); err == nil {
			keys = append(keys, strings.TrimSpace(string(text)))
		}
	}
	return keys
}

// check prints the problems of the inventory on standard error and returns an
// error if any of them stops the command.
func (d *deployment) check() error {
	found := d.problems.Sorted()
	if len(found) == 0 {
		return nil
	}
	if !found.HasErrors() && found.Count(diag.Warning) == 0 {
		return nil
	}
	d.printProblems(d.app.err, found)
	if found.HasErrors() {
		return status(exitInvalid, "the inventory has %s; no host was contacted", count(found.Count(diag.Error), "error"))
	}
	return nil
}

func (d *deployment) printProblems(w io.Writer, found diag.List) {
	found.Render(w, d.texts, d.app.coloured(w))
}

// selected returns the hosts that the pattern of -l names, all without one.
func (d *deployment) selected(site *module.Site, limit string) ([]*module.Host, error) {
	if limit == "" {
		return site.Hosts(), nil
	}
	found, err := d.inventory.Select(limit)
	if err != nil {
		return nil, status(exitInvalid, "-l: %v", err)
	}
	if len(found) == 0 {
		return nil, status(exitInvalid, "-l %s names no host", limit)
	}
	hosts := make([]*module.Host, len(found))
	for i, h := range found {
		hosts[i] = site.Host(h.Name())
	}
	return hosts, nil
}

// stateDir is where runs leave what they remember, beside the inventory so that
// people who share it share this too.
func (d *deployment) stateDir() string { return filepath.Join(d.dir, ".pigsty") }

// knownFacts returns what earlier runs learnt of hosts.
func (d *deployment) knownFacts() map[string]resource.Facts {
	facts := map[string]resource.Facts{}
	if data, err := os.ReadFile(filepath.Join(d.stateDir(), "facts.json")); err == nil {
		_ = json.Unmarshal(data, &facts)
	}
	return facts
}

// rememberFacts keeps facts for runs that do not reach those hosts: what a
// cluster's configuration depends on may be facts of a host outside -l.
func (d *deployment) rememberFacts(facts map[string]resource.Facts) error {
	old, err := os.ReadFile(filepath.Join(d.stateDir(), "facts.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := json.MarshalIndent(facts, "", " ")
	if err != nil || string(data) == string(old) {
		return err
	}
	if err := os.MkdirAll(d.stateDir(), 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(d.stateDir(), fmt.Sprintf("facts.json.%d", os.Getpid()))
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(d.stateDir(), "facts.json"))
}

// label says what a host is in the deployment: its instance, or its node name.
func label(h *module.Host) string {
	text := func(name string) string {
		v, _ := h.Vars.Get(name)
		return v.Value.Text
	}
	if c, n := text("pg_cluster"), text("pg_seq"); c != "" && n != "" {
		return c + "-" + n
	}
	return cmp.Or(text("nodename"), h.Name())
}

// count formats n with the right form of noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
