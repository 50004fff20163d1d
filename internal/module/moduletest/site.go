package moduletest

import (
	"path/filepath"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/param"
	"pigsty/internal/resource"
)

// CA is the deployment's CA certificate on every site of this package.
const CA = "-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n"

// Source reads the inventory called name in testdata; messages call it by that name.
func Source(t *testing.T, name string) inventory.Source {
	t.Helper()
	src, err := inventory.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	src.Name = name
	return src
}

// Site makes a site of src with the parameters of modules. Only what reading
// the inventory finds ends the test; checks are left to it.
func Site(t *testing.T, src inventory.Source, facts map[string]resource.Facts, modules ...param.Module) *module.Site {
	t.Helper()
	inv, problems := inventory.Load(src)
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	s := module.NewSite(inv, param.NewCatalogue(modules...), facts)
	s.CA = []byte(CA)
	return s
}
