package param_test

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/param"
)

// TestBadDeclarations checks that mistakes in declarations do not go unnoticed.
func TestBadDeclarations(t *testing.T) {
	cases := map[string]struct {
		module param.Module
		want   string
	}{
		"default that is not a value of its enum": {module(struct {
			A string `param:"a" default:"x" enum:"y,z" group:"G" level:"global" doc:"A."`
		}{}), "must be one of y, z"},
		"default of the wrong type": {module(struct {
			A int `param:"a" default:"x" group:"G" level:"global" doc:"A."`
		}{}), "must be an integer"},
		"default out of bounds": {module(struct {
			A int `param:"a" default:"0" format:"port" group:"G" level:"global" doc:"A."`
		}{}), "between 1 and 65535"},
		"default in a file that has none": {module(struct {
			A int `param:"a" default:"@a" group:"G" level:"global" doc:"A."`
		}{}), "the defaults file has no a"},
		"default that is not YAML": {module(struct {
			A []string `param:"a" default:"[x" group:"G" level:"global" doc:"A."`
		}{}), "default of a"},
		"name declared twice": {module(struct {
			A int `param:"a" group:"G" level:"global" doc:"A."`
			B int `param:"b" aka:"a" group:"G" level:"global" doc:"B."`
		}{}), "declared twice"},
		"unknown format": {module(struct {
			A string `param:"a" format:"ipv7" group:"G" level:"global" doc:"A."`
		}{}), "unknown format"},
		"bound that is not a number": {module(struct {
			A int `param:"a" min:"low" group:"G" level:"global" doc:"A."`
		}{}), "not a number"},
		"pattern that nobody describes": {module(struct {
			A string `param:"a" pattern:"^a" group:"G" level:"global" doc:"A."`
		}{}), "pattern without a form"},
		"misspelled tag": {module(struct {
			A string `param:"a" defualt:"x" group:"G" level:"global" doc:"A."`
		}{}), "unknown or repeated tag defualt"},
		"no doc": {module(struct {
			A string `param:"a" group:"G" level:"global"`
		}{}), "no doc"},
		"no group": {module(struct {
			A string `param:"a" level:"global" doc:"A."`
		}{}), "no group"},
		"unsupported type": {module(struct {
			A complex128 `param:"a" group:"G" level:"global" doc:"A."`
		}{}), "unsupported type"},
		"no parameters": {module(struct{ A int }{}), "no fields"},
		"defaults that nothing uses": {param.Module{Name: "M", Defaults: []byte("b: 1\n"), Params: struct {
			A int `param:"a" group:"G" level:"global" doc:"A."`
		}{}}, "nothing uses b"},
		"defaults that are not YAML": {param.Module{Name: "M", Defaults: []byte("b: [\n"), Params: struct{}{}}, "defaults of M"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { panics(t, c.want, c.module) })
	}
	t.Run("name of two modules", func(t *testing.T) {
		m := module(struct {
			A int `param:"a" group:"G" level:"global" doc:"A."`
		}{})
		panics(t, "declared by M and M", m, m)
	})
}

func module(params any) param.Module { return param.Module{Name: "M", Params: params} }

func panics(t *testing.T, want string, modules ...param.Module) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("panicked with %q, want %q", got, want)
		}
	}()
	param.NewCatalogue(modules...)
}
