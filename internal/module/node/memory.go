package node

import (
	"math"

	"pigsty/internal/resource"
)

// MemoryMB is the memory of a host in MiB, rounded up; 0 when it is not known.
func MemoryMB(f resource.Facts) int { return int((f.Memory + 1<<20 - 1) >> 20) }

// MemoryGB is the memory of a host in GiB, rounded up; 0 when it is not known.
func MemoryGB(f resource.Facts) int { return int((f.Memory + 1<<30 - 1) >> 30) }

// sharedMemory returns the limits of System V shared memory, three quarters of
// the host's memory: the largest segment in bytes and all segments together in
// pages. Both are 0 when the host's memory is not known.
func sharedMemory(f resource.Facts) (max, all int64) {
	if f.Memory <= 0 || f.PageSize <= 0 {
		return 0, 0
	}
	pages := f.Memory / int64(f.PageSize)
	return int64(0.75 * float64(f.Memory)), int64(0.75 * float64(pages))
}

// hugePage is the size of a huge page on both architectures, in bytes.
const hugePage = 2 << 20

// maxHugeRatio is the part of the memory that huge pages may take at most; the
// kernel and everything that does not use them live in the rest.
const maxHugeRatio = 0.90

// hugePages returns how many huge pages to reserve out of memory bytes. A count
// above 0 wins over ratio, which is a part of the memory; a count is cut to
// what maxHugeRatio allows, and a ratio out of its range reserves none.
func hugePages(memory int64, count int, ratio float64) int {
	pages := float64(memory) / hugePage
	switch {
	case count > 0 && memory > 0:
		return min(count, int(math.Ceil(maxHugeRatio*pages)))
	case count <= 0 && ratio > 0 && ratio <= maxHugeRatio:
		return int(math.Ceil(pages * ratio))
	}
	return 0
}
