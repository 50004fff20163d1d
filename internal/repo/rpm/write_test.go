package rpm

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkMetadata writes the index of 2000 packages with 100 files and 10
// changes each, which is more than a deployment has.
func BenchmarkMetadata(b *testing.B) {
	files := make([]*File, 2000)
	for i := range files {
		files[i] = many(fmt.Sprintf("package-%d", i), 100)
	}
	for b.Loop() {
		m, err := NewMetadata(files, time.Unix(0, 0))
		if err != nil {
			b.Fatal(err)
		}
		size := 0
		for _, data := range m.Files {
			size += len(data)
		}
		b.ReportMetric(float64(size)/1e6, "MB")
	}
}

// many is a package with so many files, provided and required names.
func many(name string, files int) *File {
	h := &header{entries: map[tag]entry{}}
	add := func(t tag, kind int32, count int, data []byte) {
		h.entries[t] = entry{kind, int32(len(h.store)), int32(count)}
		h.store = append(h.store, data...)
	}
	text := func(t tag, all ...string) {
		var data []byte
		for _, s := range all {
			data = append(append(data, s...), 0)
		}
		add(t, kindStrings, len(all), data)
	}
	numbers := func(t tag, n int) { add(t, kindInt32, n, make([]byte, 4*n)) }
	var names, versions, changes []string
	for i := range files {
		names = append(names, fmt.Sprintf("file-%d-of-%s.so", i, name))
		versions = append(versions, "1.0-1")
		if i < maxChanges {
			changes = append(changes, fmt.Sprintf("- a change of %s, which is the %dth and says in a line what was done and why", name, i))
		}
	}
	text(tagName, name)
	text(tagVersion, "1.0")
	text(tagRelease, "1.el9")
	text(tagArch, "x86_64")
	text(tagDescription, "A description that says in some words what "+name+" is good for.")
	text(tagBaseNames, names...)
	text(tagDirNames, "/usr/lib64/"+name+"/")
	numbers(tagDirIndexes, files)
	for _, r := range []relationTags{tagsProvides, tagsRequires} {
		text(r.name, names[:files/2]...)
		text(r.version, versions[:files/2]...)
		numbers(r.flags, files/2)
	}
	text(tagChangelogName, changes...)
	text(tagChangelogText, changes...)
	numbers(tagChangelogTime, len(changes))
	return &File{own: h, signatures: &header{}, sha256: fmt.Sprintf("%064x", len(name)), location: name + ".rpm"}
}
