package pgsql

import (
	"math"
	"strconv"
	"strings"
)

const gib = 1 << 30

// capacity is what a host has to offer to PostgreSQL.
type capacity struct {
	CPUs   int
	Memory int   // MB
	Disk   int64 // bytes of the file system that holds the cluster
}

// workload is what the formulas need to know besides the host: what kind of
// work the cluster is for (a template's name without suffix) and the choices of
// its inventory that they depend on.
type workload struct {
	Template    string // oltp, olap, crit or tiny
	Version     int
	MaxConn     string  // pg_max_conn: a number or auto
	Pooled      bool    // clients go through PgBouncer by default
	BufferRatio float64 // share of memory for shared_buffers
	Libs        string  // shared_preload_libraries
	Sharded     bool    // the cluster is a part of a Citus cluster: Patroni preloads citus
	IOMethod    string  // pg_io_method; auto chooses by Modern
	Modern      bool    // the host's kernel and PostgreSQL build know io_uring
}

// tuning is the outcome: memory in MB, disk in GB, the rest are counts.
type tuning struct {
	MaxConnections      int
	LocksPerTransaction int
	PreparedTransaction int

	SharedBuffers      int
	MaintenanceWorkMem int
	EffectiveCacheSize int
	WorkMem            int

	WorkerBase          int // background workers that TimescaleDB may use
	MaxWorkerProcesses  int
	MaxParallelWorkers  int
	ParallelGather      int
	ParallelMaintenance int
	IOWorkers           int    // 0 before version 18
	IOMethod            string // "" before version 18

	MinWALSize      int
	MaxWALSize      int
	SlotWALKeepSize int
	TempFileLimit   int
}

// tune computes the settings that depend on the size of the host.
func tune(c capacity, w workload) tuning {
	var t tuning
	olap, crit, tiny := w.Template == "olap", w.Template == "crit", w.Template == "tiny"

	// Connections. A pool in front needs few of them on the server; analytic
	// and tiny servers suffer from many, pool or not.
	t.MaxConnections = 1000
	if w.Pooled || olap {
		t.MaxConnections = 500
	}
	if tiny {
		t.MaxConnections = 250
	}
	if n, err := strconv.Atoi(w.MaxConn); err == nil && n >= 20 {
		t.MaxConnections = n
	}
	// Partitioned tables, shards and chunks take a lock each.
	t.LocksPerTransaction = t.MaxConnections
	if olap {
		t.LocksPerTransaction *= 2
	}
	citus := w.Sharded || preloads(w.Libs, "citus")
	if citus || preloads(w.Libs, "timescaledb") {
		t.LocksPerTransaction *= 2
	}
	// Citus commits across shards in two phases; nothing else should.
	if citus {
		t.PreparedTransaction = t.MaxConnections
	}

	// Memory. What shared_buffers leaves is mostly the kernel's page cache.
	t.SharedBuffers = int(math.Ceil(float64(c.Memory) * w.BufferRatio))
	t.MaintenanceWorkMem = ceilDiv(t.SharedBuffers, 4)
	if olap {
		t.MaintenanceWorkMem = ceilDiv(t.SharedBuffers, 2)
	}
	t.EffectiveCacheSize = c.Memory - t.SharedBuffers
	t.WorkMem = t.SharedBuffers / t.MaxConnections
	switch {
	case olap:
		t.WorkMem = clamp(t.WorkMem, 64, 8192)
	case tiny:
		t.WorkMem = clamp(t.WorkMem, 16, 256)
	default:
		t.WorkMem = clamp(t.WorkMem, 64, 1024)
	}

	// Workers. Eight more than the base remain for logical replication, cron
	// and the like.
	switch {
	case olap:
		t.WorkerBase = max(c.CPUs+12, 20)
	case tiny:
		t.WorkerBase = max(c.CPUs+4, 12)
	default:
		t.WorkerBase = max(c.CPUs+8, 16)
	}
	t.MaxWorkerProcesses = t.WorkerBase + 8
	switch {
	case olap:
		t.MaxParallelWorkers = max(ceilDiv(8*c.CPUs, 10), 2)
		t.ParallelGather = max(c.CPUs/2, 2)
	case tiny:
		t.MaxParallelWorkers = max(c.CPUs/2, 1)
	case crit: // predictable latency over the speed of one query
		t.MaxParallelWorkers = max(ceilDiv(c.CPUs, 2), 2)
	default:
		t.MaxParallelWorkers = max(ceilDiv(c.CPUs, 2), 2)
		t.ParallelGather = min(max(c.CPUs/5, 2), 8)
	}
	t.ParallelMaintenance = max(ceilDiv(33*c.CPUs, 100), 2)
	if tiny {
		t.ParallelMaintenance = max(33*c.CPUs/100, 1)
	}
	if w.Version >= 18 {
		t.IOMethod = w.IOMethod
		if t.IOMethod == "auto" {
			t.IOMethod = "worker"
			if w.Modern {
				t.IOMethod = "io_uring"
			}
		}
		switch {
		case olap:
			t.IOWorkers = clamp(ceilDiv(c.CPUs, 2), 4, 32)
		case crit:
			t.IOWorkers = clamp(ceilDiv(c.CPUs, 4), 4, 8)
		case tiny:
			t.IOWorkers = 3
		default:
			t.IOWorkers = clamp(ceilDiv(c.CPUs, 4), 4, 16)
		}
	}

	// Disk. One GB for every 20 GiB, at most 100: write-ahead log may take a fifth
	// of the disk, what slots hold back three tenths.
	unit := clamp(int((c.Disk+20*gib-1)/(20*gib)), 1, 100)
	t.MinWALSize = unit
	t.MaxWALSize = 4 * unit
	t.SlotWALKeepSize = 6 * unit
	t.TempFileLimit = unit
	if olap {
		t.TempFileLimit = 4 * unit
	}
	return t
}

// preloads reports whether the list libs names the library lib.
func preloads(libs, lib string) bool {
	for name := range strings.SplitSeq(libs, ",") {
		name = strings.Trim(name, " '\"")
		if name[strings.LastIndex(name, "/")+1:] == lib {
			return true
		}
	}
	return false
}

func clamp(n, low, high int) int { return min(max(n, low), high) }

func ceilDiv(n, by int) int { return (n + by - 1) / by }

func megabytes(n int) string { return strconv.Itoa(n) + "MB" }

func gigabytes(n int) string { return strconv.Itoa(n) + "GB" }
