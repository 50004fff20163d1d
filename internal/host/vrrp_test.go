package host

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestParseAdvertisement(t *testing.T) {
	// An IPv4 header with room for the protocol, from 10.10.47.12 to 224.0.0.18.
	const header = "45c00028000100 00ff%s0000 0a0a2f0c e0000012"
	for _, c := range []struct{ name, protocol, body, want string }{
		{"version 2", "70", "212f 6401 0001 0000 0a0a2f63 00000000 00000000", "10.10.47.12 47"},
		{"version 2 with a password", "70", "21fe 6401 0101 0000 0a0a2f63 73656372 65740000", "10.10.47.12 254"},
		{"version 3", "70", "3101 6401 0064 0000 0a0a2f63", "10.10.47.12 1"},
		{"behind an authentication header", "33", "7004 0000 00000000 00000001 112233445566778899aabbcc 212f 6401 0201 0000", "10.10.47.12 47"},
		{"resigns", "70", "212f 0001 0001 0000 0a0a2f63", ""},
		{"no advertisement", "70", "222f 6401", ""},
		{"another version", "70", "412f 6401", ""},
		{"another protocol", "11", "212f 6401", ""},
		{"another one authenticated", "33", "1104 0000 00000000 00000001 112233445566778899aabbcc 212f 6401", ""},
		{"cut off", "70", "212f", ""},
		{"cut off in the authentication header", "33", "7004 0000", ""},
	} {
		packet, err := hex.DecodeString(strings.ReplaceAll(fmt.Sprintf(header, c.protocol)+c.body, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if r, ok := parseAdvertisement(packet); ok {
			got = fmt.Sprint(r.Source, " ", r.ID)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	options := "46c0002c00010000ff70 0000 0a0a2f0c e0000012 94040000 212f 6401"
	packet, _ := hex.DecodeString(strings.ReplaceAll(options, " ", ""))
	if r, ok := parseAdvertisement(packet); !ok || r.ID != 47 {
		t.Errorf("with options: %v %v", r, ok)
	}
	for n := range packet {
		parseAdvertisement(packet[:n]) // does not panic
	}
}
