package pgsql

import "testing"

func TestSizeInBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"64MiB": 64 << 20, "64M": 64 << 20, "64 MB": 64e6, "1.5gib": 3 << 29, "4096": 4096, "512B": 512, "2k": 2048, "1TiB": 1 << 40, "0": 0,
	} {
		if got := sizeInBytes(text); got != want {
			t.Errorf("%s is %d bytes, want %d", text, got, want)
		}
	}
}
