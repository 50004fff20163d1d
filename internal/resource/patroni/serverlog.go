package patroni

import (
	"context"
	"encoding/csv"
	"path"
	"strings"
	"time"

	"pigsty/internal/resource"
)

const (
	serverTail  = "65536" // bytes of the server's newest log that are looked at
	journalTail = 200     // lines of the journal that are
	lastWords   = 5       // lines that are shown
)

// lastWordsOf returns why a server that Patroni starts ended, by its own words.
// Until its log begins it speaks to the journal of Patroni's unit; dir is the
// directory of its logs, in CSV.
func lastWordsOf(ctx context.Context, h *resource.Host, unit, dir string) []string {
	out := fatalPlain(h.Units.Journal(ctx, unit, journalTail))
	if name := newest(h.Files, dir); name != "" {
		if tail, err := h.Commands.Run(ctx, resource.Command{Args: []string{"tail", "-c", serverTail, name}}); err == nil {
			out = append(out, fatalCSV(string(tail))...)
		}
	}
	return out[max(0, len(out)-lastWords):]
}

// newest returns the CSV file in dir that was written last, "" if there is none.
func newest(files resource.Files, dir string) string {
	names, err := files.List(dir)
	if err != nil {
		return ""
	}
	found, at := "", time.Time{}
	for _, name := range names {
		name = path.Join(dir, name)
		if st, err := files.Stat(name); err == nil && path.Ext(name) == ".csv" && (found == "" || st.MTime.After(at)) {
			found, at = name, st.MTime
		}
	}
	return found
}

// severe reports whether a severity ends a process. Connections that come too
// early or at the wrong moment (class 57P0x) say nothing about the server.
func severe(severity, sqlstate string) bool {
	return (severity == "FATAL" || severity == "PANIC") && !strings.HasPrefix(sqlstate, "57P0")
}

// Columns of the server's CSV log: https://www.postgresql.org/docs/17/runtime-config-logging.html
const (
	logTime, logSeverity, logState, logMessage, logDetail, logHint = 0, 11, 12, 13, 14, 15
)

// fatalCSV returns the messages in a part of a CSV log that ended a process. The
// part may begin within a record.
func fatalCSV(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		record, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(record) <= logHint || !severe(record[logSeverity], record[logState]) {
			continue
		}
		words := record[logTime] + " " + record[logSeverity] + ": " + record[logMessage]
		if detail := record[logDetail]; detail != "" {
			words += "; " + detail
		}
		if hint := record[logHint]; hint != "" {
			words += "; hint: " + hint
		}
		out = append(out, words)
	}
	return out
}

// fatalPlain is fatalCSV for what a server says before its log begins.
func fatalPlain(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "FATAL:") || strings.Contains(line, "PANIC:") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
