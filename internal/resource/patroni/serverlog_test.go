package patroni

import (
	"slices"
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

// Records of PostgreSQL 17, of a server that starts with too large a setting, and
// of one whose client came too early.
const serverLog = `half a record that ends",,,"","startup",,0
2026-11-21 18:34:38.584 UTC,,,1491,,6b01e43e.5d3,2,,2026-11-21 18:34:38 UTC,,0,LOG,00000,"starting PostgreSQL 17.12",,,,,,,,,"","postmaster",,0
2026-11-21 18:34:38.671 UTC,"postgres","postgres",1505,"[local]",6b01e43e.5e1,1,"",2026-11-21 18:34:38 UTC,,0,FATAL,57P03,"the database system is not yet accepting connections","Consistent recovery state has not been yet reached.",,,,,,,,"","client backend",,0
2026-11-21 18:34:38.957 UTC,,,1503,,6b01e43e.5df,5,,2026-11-21 18:34:38 UTC,,0,FATAL,22023,"recovery aborted because of insufficient parameter settings","max_connections = 50 is a lower setting than on the primary server, where its value was 100.","You can restart the server after making the necessary configuration changes.",,,,,,,"","startup",,0
`

func TestLastWords(t *testing.T) {
	want := []string{"2026-11-21 18:34:38.957 UTC FATAL: recovery aborted because of insufficient parameter settings; " +
		"max_connections = 50 is a lower setting than on the primary server, where its value was 100.; " +
		"hint: You can restart the server after making the necessary configuration changes."}
	if got := fatalCSV(serverLog); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	fake := resourcetest.New()
	h := fake.Host
	if err := h.Files.Mkdir("/pg/log/postgres", 0o700, resource.Owner{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgresql-Fri.csv", "postgresql-Sat.csv", "startup.log"} {
		if err := h.Files.Write("/pg/log/postgres/"+name, []byte(serverLog), 0o600, resource.Owner{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := newest(h.Files, "/pg/log/postgres"); !strings.HasSuffix(got, ".csv") {
		t.Errorf("the newest log is %q", got)
	}
	if got := newest(h.Files, "/pg/log/none"); got != "" {
		t.Errorf("the newest log is %q", got)
	}
	const journal = `Nov 21 18:34:31 node-1 patroni[1491]: 2026-11-21 18:34:31.104 GMT [1491] LOG:  starting
Nov 21 18:34:31 node-1 patroni[1491]: 2026-11-21 18:34:31.104 GMT [1491] FATAL:  could not access file "nothere": No such file or directory
`
	if got := fatalPlain(journal); len(got) != 1 || !strings.HasSuffix(got[0], `FATAL:  could not access file "nothere": No such file or directory`) {
		t.Errorf("%q", got)
	}
}
