package moduletest

import (
	"testing"
	"time"

	"pigsty/internal/resource"
)

func TestAttributes(t *testing.T) {
	for want, r := range map[string]resource.Resource{
		"Path:/pg Owner:postgres:postgres Mode:-rwx------\n": &resource.Dir{Path: "/pg", Owner: resource.Owner{User: "postgres", Group: "postgres"}, Mode: 0o700},
		"Name:a.service Running:true RestartOn:[/a /b] StartTimeout:5m0s\n": &resource.Unit{Name: "a.service", Running: true,
			RestartOn: []string{"/a", "/b"}, StartTimeout: 5 * time.Minute},
		"Items {Name:curl For:node_packages}\nItems {Name:zstd Optional:true}\n": &resource.Packages{Items: []resource.PackageItem{
			{Name: "curl", For: "node_packages"}, {Name: "zstd", Optional: true}}},
		"Name:ca CA:\"a\\nb\\n\"\n": &resource.Trust{Name: "ca", CA: []byte("a\nb\n")},
	} {
		if got := Attributes(r); got != want {
			t.Errorf("%s\n got %q\nwant %q", r.Key(), got, want)
		}
	}
}

func TestFirstDifference(t *testing.T) {
	for _, c := range [][3]string{
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb", "a\nc", "line 2\nwant b\n got c"},
		{"a", "a\nb", "line 2\nwant (end)\n got b"},
	} {
		if got := FirstDifference(c[0], c[1]); got != c[2] {
			t.Errorf("%q, %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
