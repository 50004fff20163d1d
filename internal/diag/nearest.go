package diag

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Nearest returns the word of known that a person who wrote word most likely
// meant: the one that the fewest typing slips (a character added, left out,
// replaced, or swapped with its neighbour) lead to, the first of several as
// near. Words that differ only in case are nearest of all. It returns "" when
// nothing is close: one slip is allowed for every three characters, and one in
// words of two.
func Nearest(word string, known iter.Seq[string]) string {
	n := utf8.RuneCountInString(word)
	return NearestWithin(word, min(max(1, n/3), n-1), known)
}

// NearestWithin is like Nearest, but allows so many slips.
func NearestWithin(word string, allowed int, known iter.Seq[string]) string {
	folded := []rune(strings.ToLower(word))
	best, limit := "", allowed+1
	for candidate := range known {
		n := utf8.RuneCountInString(candidate)
		if n-len(folded) >= limit || len(folded)-n >= limit {
			continue
		}
		if d := slips(folded, []rune(strings.ToLower(candidate)), limit); d < limit {
			best, limit = candidate, d
		}
	}
	return best
}

// slips counts the slips between a and b, or returns limit when there are at
// least so many. It is the optimal string alignment distance.
func slips(a, b []rune, limit int) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
