package pgsql

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestTune checks the formulas against a table of known results. Each line
// holds template, CPUs, memory in MB, disk in GiB, then what comes out.
func TestTune(t *testing.T) {
	f, err := os.Open("testdata/tune.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Fields(line)
		var n []int
		for _, c := range cells[1:] {
			i, err := strconv.Atoi(c)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, i)
		}
		got := tune(capacity{CPUs: n[0], Memory: n[1], Disk: int64(n[2]) * gib},
			workload{Template: cells[0], Version: 18, MaxConn: "auto", Pooled: true, BufferRatio: 0.25, IOMethod: "worker"})
		want := tuning{
			MaxConnections: n[3], SharedBuffers: n[4], MaintenanceWorkMem: n[5], EffectiveCacheSize: n[6], WorkMem: n[7],
			MaxWorkerProcesses: n[8], MaxParallelWorkers: n[9], ParallelGather: n[10], ParallelMaintenance: n[11], IOWorkers: n[12],
			MinWALSize: n[13], MaxWALSize: n[14], SlotWALKeepSize: n[15], TempFileLimit: n[16],
			LocksPerTransaction: got.LocksPerTransaction, WorkerBase: got.MaxWorkerProcesses - 8, IOMethod: "worker",
		}
		if got != want {
			t.Errorf("%s\n got %+v\nwant %+v", line, got, want)
		}
		rows++
	}
	if rows != 24 {
		t.Errorf("%d rows instead of 24", rows)
	}
}

func TestTuneChoices(t *testing.T) {
	c := capacity{CPUs: 4, Memory: 7900, Disk: 100 * gib}
	base := workload{Template: "oltp", Version: 17, MaxConn: "auto", Pooled: true, BufferRatio: 0.25}
	with := func(change func(*workload)) tuning {
		w := base
		change(&w)
		return tune(c, w)
	}
	if got := tune(c, base); got.IOMethod != "" || got.IOWorkers != 0 || got.LocksPerTransaction != 500 || got.PreparedTransaction != 0 {
		t.Errorf("version 17: %+v", got)
	}
	if got := with(func(w *workload) { w.Pooled = false }); got.MaxConnections != 1000 {
		t.Errorf("without a pool: %+v", got)
	}
	if got := with(func(w *workload) { w.MaxConn = "300" }); got.MaxConnections != 300 {
		t.Errorf("300 connections: %+v", got)
	}
	if got := with(func(w *workload) { w.MaxConn = "19" }); got.MaxConnections != 500 {
		t.Errorf("19 connections: %+v", got)
	}
	if got := with(func(w *workload) { w.Libs = "citus, pg_stat_statements" }); got.LocksPerTransaction != 1000 || got.PreparedTransaction != 500 {
		t.Errorf("citus: %+v", got)
	}
	if got := with(func(w *workload) { w.Sharded = true }); got.LocksPerTransaction != 1000 || got.PreparedTransaction != 500 {
		t.Errorf("a part of a Citus cluster: %+v", got)
	}
	if got := with(func(w *workload) { w.Libs = "$libdir/timescaledb"; w.Template = "olap" }); got.LocksPerTransaction != 2000 || got.PreparedTransaction != 0 {
		t.Errorf("timescaledb: %+v", got)
	}
	if got := with(func(w *workload) { w.Version, w.IOMethod, w.Modern = 18, "auto", true }); got.IOMethod != "io_uring" {
		t.Errorf("io_uring: %+v", got)
	}
}
