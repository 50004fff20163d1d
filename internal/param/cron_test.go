package param

import (
	"strings"
	"testing"
	"time"
)

// FuzzCron checks that a crontab line that is accepted stays so with a word
// more, and that a fault is one line.
func FuzzCron(f *testing.F) {
	for _, line := range []string{
		"00 01 * * * root /bin/true", "*/5 0-23/2 1,15 jan mon-fri root true", "@daily root true", "~ 0~30 * * * a b",
		"60 * * * * root true", "@never root true", "MAILTO=root", "# comment", "0 5-2 * * * root true", "a\nb",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		fault := cronFault(line, 2)
		if fault == "" && strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") && cronFault(line+" more", 2) != "" {
			t.Errorf("%q is right, and with a word more it is not", line)
		}
		if strings.Contains(fault, "\n") {
			t.Errorf("the fault of %q has several lines: %q", line, fault)
		}
	})
}

// FuzzHosts does the same for a line of /etc/hosts.
func FuzzHosts(f *testing.F) {
	for _, line := range []string{"10.10.10.10 i.pigsty", "10.10.10.10", "::1 localhost # why", "10.10.10.256 a", "", "10.10.10.10 a,b"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if hostsFault(line) == "" && strings.TrimSpace(line) != "" && !strings.Contains(line, "#") && hostsFault(line+" more") != "" {
			t.Errorf("%q is right, and with a name more it is not", line)
		}
	})
}

// FuzzQuantity checks that what is accepted as a length of time by Go in the
// units that both know is accepted here, and that both formats want a number.
func FuzzQuantity(f *testing.F) {
	for _, text := range []string{"30s", "10min", "7d", "1.5h", "64MiB", "1GB", "20", "one day", "", "-1s", "1e3s", "5 mins"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		interval, size := formats["interval"].valid(text), formats["size"].valid(text)
		if (interval || size) && (text == "" || text[0] < '0' || text[0] > '9') {
			t.Errorf("%q is accepted and does not begin with a digit", text)
		}
		if d, err := time.ParseDuration(text); err == nil && !interval && d > 0 && strings.Trim(text, "0123456789smh") == "" &&
			strings.Count(text, "s")+strings.Count(text, "m")+strings.Count(text, "h") == 1 {
			t.Errorf("%q is a length of time to Go and not here", text)
		}
	})
}

func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"365d": 365 * day, "7300": 7300 * day, "52 weeks": 364 * day, "1y": 365 * day, "12mon": 360 * day, "36h": 36 * time.Hour, "1.5d": 36 * time.Hour} {
		if got, err := Days(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1 fortnight", "1000y"} {
		if got, err := Days(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}
