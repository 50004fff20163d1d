package inventory

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What PyYAML 6.0.3 makes of each text.
func TestScalarKindIsPyYAMLs(t *testing.T) {
	for _, test := range []struct {
		kind  Kind
		texts string
	}{
		{Bool, "yes Yes YES no on ON Off true True FALSE"},
		{Null, "~ null Null NULL"},
		{Int, "0 00 07 017 0755 -0x1F 1_000 +5 0b101 0_ 0_7 1__0 9223372036854775807"},
		{Float, "1. .5 1.5e+3 -1.5 .inf -.INF .nan 1_0.5"},
		{String, "y Y oN 08 0xg 1.5e3 1e3 10.10.10.10 1.2.3 _1 64MB 1h +.5 -.5 0x - + . 0b2 tRue nUll"},
		// Where this package means to differ: see scalarKind and intForm.
		{Int, "0o17"},
		{String, "2030-12-31 1:30 1:30.5 9223372036854775808 0x_ 0b_"},
	} {
		for text := range strings.FieldsSeq(test.texts) {
			if got := scalarKind(text); got != test.kind {
				t.Errorf("%s is %v, want %v", text, got, test.kind)
			}
		}
	}
}

func TestValueNumbers(t *testing.T) {
	for text, want := range map[string]any{
		"0x1F": int64(31), "017": int64(15), "0o17": int64(15), "0b101": int64(5), "-1_000": int64(-1000),
		"+5": int64(5), "0_": int64(0), "-0x8000000000000000": int64(math.MinInt64),
		"1.": 1.0, ".5": 0.5, "1.5e+3": 1500.0, "-.inf": math.Inf(-1), "1_0.5": 10.5, "yes": true, "OFF": false, "~": nil, "x": "x",
	} {
		v := Value{Kind: scalarKind(text), Text: text, Plain: true}
		if got := v.Any(); got != want {
			t.Errorf("%s: got %#v, want %#v", text, got, want)
		}
	}
	if f := (Value{Kind: Float, Text: ".NaN"}).Float(); !math.IsNaN(f) {
		t.Errorf(".NaN is %v", f)
	}
}

func TestValueEqual(t *testing.T) {
	inv, diags := Load(Source{Name: "t.yml", Data: []byte(`
all:
  hosts:
    same: { a: [ 0x10, yes, x, ~, { m: 1, n: 2 } ], b: [ 16, True, "x", null, { n: 2, m: 0b1 } ] }
    kind: { a: 1, b: "1" }
    order: { a: [ 1, 2 ], b: [ 2, 1 ] }
    longer: { a: [ 1 ], b: [ 1, 1 ] }
    keys: { a: { x: 1 }, b: { y: 1 } }
    tags: { a: !vault x, b: x }
    nested: { a: { x: { y: 1 } }, b: { x: { y: 2 } } }
`)})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, h := range inv.Hosts() {
		a, _ := h.Vars().Get("a")
		b, _ := h.Vars().Get("b")
		if got := a.Value.Equal(b.Value); got != (h.Name() == "same") {
			t.Errorf("%s: %v", h.Name(), got)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"ip": "10.10.10.10", "pg_cluster": "pg-test", "again": "${ip}", "empty": ""}[name]
		return v, ok
	}
	for _, test := range []struct{ text, want, err string }{
		{"${ip},${ip}", "10.10.10.10,10.10.10.10", ""},
		{"${pg_cluster}-${pg_seq}.pigsty", "pg-test-${pg_seq}.pigsty", ""},
		{"${again}", "${ip}", ""},
		{"a${empty}b", "ab", ""},
		{"$ip $${ip} ${} ${ ip } ${1} ${a-b} $", "$ip $10.10.10.10 ${} ${ ip } ${1} ${a-b} $", ""},
		{"{1...2} $libdir/x", "{1...2} $libdir/x", ""},
		{"全${ip", "全${ip", `the placeholder ${ip in column 2 of "全${ip" lacks its "}"`},
		{"", "", ""},
	} {
		got, err := Expand(test.text, lookup)
		if text := fmt.Sprint(err); got != test.want || (err != nil || test.err != "") && text != test.err {
			t.Errorf("%q: got %q, %v; want %q, %v", test.text, got, err, test.want, test.err)
		}
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pigsty.yml")
	if err := os.WriteFile(name, []byte("all: { hosts: { h: } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := ReadFile(name)
	if err != nil || src.Name != name {
		t.Fatalf("%v, %v", src, err)
	}
	inv, diags := Load(src)
	if len(diags) > 0 || inv.Host("h") == nil || inv.Host("i") != nil || inv.Group("none") != nil || inv.Host("h").Pos().String() != name+":1:17" {
		t.Errorf("%v %v", diags, inv.Hosts())
	}
	extra := filepath.Join(t.TempDir(), "extra.yml")
	if err := os.WriteFile(extra, []byte("x: [ 1 ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diags := inv.SetExtra([]string{"@" + extra}); len(diags) > 0 {
		t.Error(diags)
	}
	if x, _ := inv.Host("h").Vars().Get("x"); x.Origin.String() != "extra variables of "+extra || x.Value.Pos.File != extra {
		t.Errorf("%+v", x)
	}
	if _, err := ReadFile(filepath.Dir(name)); err == nil {
		t.Error("a directory could be read")
	}
}

func TestSetDefaults(t *testing.T) {
	inv, _ := Load(Source{Name: "t.yml", Data: []byte(`all: { hosts: { h: { a: "{{ pg_dbsu }}" } } }`)})
	if n := len(inv.Check()); n != 1 {
		t.Errorf("%d findings before, want 1", n)
	}
	inv.SetDefaults(func(name string) (Value, bool) {
		return Value{Kind: String, Text: "postgres"}, name == "pg_dbsu"
	})
	if diags := inv.Check(); len(diags) > 0 {
		t.Error(diags)
	}
	vars := inv.Host("h").Vars()
	if a, ok := vars.Get("a"); !ok || a.Value.Text != "postgres" || vars.Len() != 1 {
		t.Errorf("%+v", a)
	}
	if _, ok := vars.Get("pg_dbsu"); ok {
		t.Error("a default became a variable")
	}
}

func TestVarsAreShared(t *testing.T) {
	inv, _ := Load(Source{Name: "t.yml", Data: large(30, 2)})
	a, b := inv.Hosts()[0].Vars(), inv.Hosts()[1].Vars()
	if find(a.list, "var_005") != find(b.list, "var_005") {
		t.Error("two hosts have copies of a variable of their group")
	}
	if again := inv.Hosts()[0].Vars(); &again.list[0] != &a.list[0] {
		t.Error("the variables were worked out twice")
	}
}

func TestVarsFromManyGoroutines(t *testing.T) {
	inv, _ := Load(Source{Name: "t.yml", Data: large(300, 3)})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, h := range inv.Hosts() {
				if h.Vars().Len() < 10 || len(h.Groups()) < 2 {
					t.Error("variables are missing")
				}
			}
			if _, err := inv.Select("pg-*:!pg-1"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
