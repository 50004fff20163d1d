package node

import (
	"testing"

	"pigsty/internal/resource"
)

func TestMemory(t *testing.T) {
	for _, c := range []struct {
		bytes       int64
		mb, gb      int
		shmMax, shm int64
	}{
		{2058694656, 1964, 2, 1544020992, 376958},
		{16777216000, 16000, 16, 12582912000, 3072000},
		{67528294400, 64400, 63, 50646220800, 12364800},
		{0, 0, 0, 0, 0},
	} {
		f := resource.Facts{Memory: c.bytes, PageSize: 4096}
		if MemoryMB(f) != c.mb || MemoryGB(f) != c.gb {
			t.Errorf("%d bytes are %d MiB and %d GiB, want %d and %d", c.bytes, MemoryMB(f), MemoryGB(f), c.mb, c.gb)
		}
		if most, all := sharedMemory(f); most != c.shmMax || all != c.shm {
			t.Errorf("sharedMemory of %d bytes = %d, %d, want %d, %d", c.bytes, most, all, c.shmMax, c.shm)
		}
	}
}

func TestHugePages(t *testing.T) {
	const host = 16 << 30
	for _, c := range []struct {
		memory int64
		count  int
		ratio  float64
		want   int
	}{
		{host, 0, 0, 0},
		{host, 0, 0.3, 2458},
		{host, 10000, 0, 7373},
		{host, 10000, 0.3, 7373},
		{host, 100, 0.3, 100},
		{host, 0, 0.95, 0},
		{0, 100, 0, 0},
		{0, 0, 0.3, 0},
	} {
		if got := hugePages(c.memory, c.count, c.ratio); got != c.want {
			t.Errorf("hugePages(%d, %d, %v) = %d, want %d", c.memory, c.count, c.ratio, got, c.want)
		}
	}
}

func TestHAProxyWords(t *testing.T) {
	for in, want := range map[string]string{
		"24h": "24h", "10min": "10m", "30 s": "30s", "500ms": "500ms", "2 weeks": "14d", "1.5w": "11d", "90": "90s", "1day": "1d",
	} {
		if got := haproxyTime(in); got != want {
			t.Errorf("haproxyTime(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"pigsty": "pigsty", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, `a\b`: `'a\b'`} {
		if got := haproxyQuote(in); got != want {
			t.Errorf("haproxyQuote(%q) = %q, want %q", in, got, want)
		}
	}
}
