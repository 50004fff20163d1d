package node

import "pigsty/internal/memo"

// profiles are the names of the tuned profiles: for transactions, for analysis,
// for clusters that must not lose a commit, and for small hosts.
var profiles = []string{"oltp", "olap", "crit", "tiny"}

// profile is what differs between the tuned profiles; the rest stands in their
// template. Zero fields are left out of the file.
type profile struct {
	Summary  string
	Include  string // the profile of tuned itself to start from, with processor and scheduler settings
	IPC      bool   // message queues, semaphores and the number of processes
	ShmMax   int64  // bytes
	ShmAll   int64  // pages
	NoMerges int    // of NVMe disks, with Readahead

	Readahead       int // of NVMe disks, KiB
	Swappiness      int
	Overcommit      string // vm.overcommit_memory
	OvercommitRatio int    // percent

	DirtyBackground int   // percent of memory
	Dirty           int   // percent of memory
	DirtyCentisecs  []int // age of a page to write, interval of writing

	FileMax    int
	SoMaxConn  int
	Backlog    int
	SynBacklog int
	SocketMax  int // bytes
	TCPMax     int // bytes
	Conntrack  int

	SynCookies    int
	TimeWaitReuse int
	SynRetries    int
	FinTimeout    int   // seconds
	Keepalive     []int // idle seconds, interval, probes
}

// tuning is what a profile depends on: its name, the limits of shared memory
// (see sharedMemory), and node_overcommit_ratio. A ratio above 0 makes the kernel
// refuse to promise more memory than swap and that percentage of the memory.
type tuning struct {
	name           string
	shmMax, shmAll int64
	ratio          float64
}

// tunedFiles are the profiles' files, which most hosts have alike.
var tunedFiles memo.Table[tuning, []byte]

func (t tuning) file() []byte { return render("tuned.conf.tmpl", t.profile()) }

// profile returns the settings.
func (t tuning) profile() profile {
	p := profile{
		Summary:         "PostgreSQL hosts with many short transactions",
		Include:         "network-latency",
		IPC:             true,
		Readahead:       64,
		NoMerges:        2,
		Swappiness:      1,
		Overcommit:      "0",
		OvercommitRatio: 100,
		DirtyBackground: 3,
		Dirty:           15,
		DirtyCentisecs:  []int{500, 100},
		FileMax:         16777216,
		SoMaxConn:       65535,
		Backlog:         8192,
		SynBacklog:      8192,
		SocketMax:       4194304,
		TCPMax:          16777216,
		Conntrack:       524288,
		SynCookies:      0,
		TimeWaitReuse:   1,
		SynRetries:      3,
		FinTimeout:      15,
		Keepalive:       []int{60, 20, 3},
	}
	p.ShmMax, p.ShmAll = t.shmMax, t.shmAll
	if t.name != "oltp" {
		p.FileMax = 134217728
		p.SocketMax = 16777216
		p.TCPMax = 33554432
		p.Keepalive = []int{300, 60, 5}
		p.FinTimeout = 30
	}
	switch t.name {
	case "olap":
		p.Summary = "PostgreSQL hosts with long analytical queries"
		p.Include = "network-throughput"
		p.Readahead, p.NoMerges = 2048, 0
		p.Overcommit = ""
		p.DirtyBackground, p.Dirty, p.DirtyCentisecs = 10, 80, nil
		p.SynCookies, p.TimeWaitReuse = 1, 0
		p.FinTimeout = 60
	case "crit":
		p.Summary = "PostgreSQL hosts whose data matters more than speed"
		p.Readahead, p.NoMerges = 128, 1
		p.DirtyBackground, p.Dirty, p.DirtyCentisecs = 1, 5, []int{100, 100}
		p.SynCookies = 1
		p.SynRetries = 2
	case "tiny":
		p.Summary = "PostgreSQL on small hosts"
		p.Include, p.IPC = "", false
		p.Readahead = 0
		p.Swappiness = 10
		p.OvercommitRatio = 200
		p.DirtyBackground, p.Dirty, p.DirtyCentisecs = 5, 30, nil
		p.SoMaxConn, p.Backlog, p.SynBacklog = 8192, 2048, 4096
		p.Conntrack = 65536
	}
	if t.ratio > 0 {
		p.Overcommit, p.OvercommitRatio = "2", int(t.ratio)
	}
	return p
}
