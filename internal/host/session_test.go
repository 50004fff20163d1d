package host

import "testing"

func TestParseSession(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.7 51234 10.0.0.9 22":          "10.0.0.7 22",
		"::ffff:10.0.0.7 51234 10.0.0.9 2222": "10.0.0.7 2222",
		"fe80::1%eth0 51234 fe80::2%eth0 22":  "fe80::1 22",
		"UNKNOWN 65535 UNKNOWN 65535":         "unknown",
		"":                                    "unknown",
	} {
		got := "unknown"
		if s := parseSession(text); s.Peer.IsValid() {
			got = s.Peer.String() + " " + map[int]string{22: "22", 2222: "2222"}[s.Port]
		}
		if got != want {
			t.Errorf("%q is from %s, want %s", text, got, want)
		}
	}
}

func TestSession(t *testing.T) {
	if status, _, err := status(1); err != nil || status != 0 {
		t.Errorf("the first process has parent %d, %v", status, err)
	}
}
