package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passwords takes the values of the keys called password for secrets, and those
// of variables whose name ends in _password.
func passwords(name string, v Value, f func(Value) Value) Value {
	if strings.HasSuffix(name, "_password") {
		return v.Leaves(f)
	}
	if v.Kind != List {
		return v
	}
	items := make([]Value, len(v.Items))
	for i, item := range v.Items {
		items[i] = item
		items[i].Pairs = nil
		for _, p := range item.Pairs {
			if p.Key == "password" {
				p.Value = f(p.Value)
			}
			items[i].Pairs = append(items[i].Pairs, p)
		}
	}
	v.Items = items
	return v
}

func TestSecretsOutside(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("APP_PASSWORD", "{{ not.expanded }}")
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "one"), []byte("File.Secret\r\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "open"), []byte("Open.Secret\n\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "long"), make([]byte, maxSecret+1), 0o600),
		os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	inv, diags := Load(Source{Name: filepath.Join(dir, "t.yml"), Data: []byte(`
all:
  hosts: { a: , b: }
  vars:
    app_password: env:APP_PASSWORD
    db_password: "{{ own }}"
    own: file:one
    home_password: "file:~/one"
    full_password: file:` + dir + `/open
    kept_password: !unsafe file:one
    users: [ { name: file:one, password: file:one }, { name: x, password: "{{ app_password }}" } ]
    url: "http://u:{{ db_password }}@h"
`)})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	inv.SetSecrets(passwords)
	found := inv.Check()
	if len(found) != 1 || found[0].Code != "readable-secret" || found[0].Pos.Line != 9 {
		t.Errorf("got %v", found)
	}
	vars := inv.Host("a").Vars()
	for name, want := range map[string]string{
		"app_password": "{{ not.expanded }}", "db_password": "File.Secret", "own": "file:one", "home_password": "File.Secret",
		"full_password": "Open.Secret\n", "kept_password": "file:one", "url": "http://u:File.Secret@h",
	} {
		if v, _ := vars.Get(name); v.Value.Text != want || v.Value.Secret != (name != "own" && name != "kept_password") {
			t.Errorf("%s is %+v, want %q", name, v.Value, want)
		}
	}
	users, _ := vars.Get("users")
	if got := users.Value.Flow(); got != "[{ name: 'file:one', password: File.Secret }, { name: x, password: '{{ not.expanded }}' }]" {
		t.Errorf("users are %s", got)
	}
	other, _ := inv.Host("b").Vars().Get("app_password")
	if first, _ := vars.Get("app_password"); first.Value.Text != other.Value.Text {
		t.Errorf("hosts differ: %q, %q", first.Value.Text, other.Value.Text)
	}
	if written, _ := inv.Host("a").Written("app_password"); written.Text != "env:APP_PASSWORD" {
		t.Errorf("written is %+v", written)
	}

	for ref, want := range map[string]string{
		"env:NONE_SUCH": "the environment variable NONE_SUCH is not set", "env:1x": "what follows env: is no name of an environment variable",
		"env:": "what follows env: is no name of an environment variable", "file:none": "there is no file " + filepath.Join(dir, "none"),
		"file:": dir + " is no regular file", "file:long": filepath.Join(dir, "long") + " is longer than 1048576 bytes", "file:empty": "the file " + filepath.Join(dir, "empty") + " is empty",
	} {
		inv, _ := Load(Source{Name: filepath.Join(dir, "t.yml"), Data: []byte("all: { hosts: { a: { app_password: '" + ref + "', b: \"{{ app_password }}\" } } }\n")})
		inv.SetSecrets(passwords)
		if found := inv.Check(); len(found) != 1 || found[0].Message != want || found[0].Pos.Col != 36 {
			t.Errorf("%s: got %v, want %s", ref, found, want)
		}
	}
}
