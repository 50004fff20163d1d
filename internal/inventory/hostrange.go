package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxRange is how many names one host key or pattern can stand for.
const maxRange = 65536

var errRangeSize = fmt.Errorf("this stands for more than %d names", maxRange)

// expandRange returns the names that a name with ranges stands for: numbers,
// zero-padded or not, and letters, with an optional step. 10.10.10.[11:13],
// web[01:20], db-[a:c]-[0:9:3]. A name without brackets stands for itself.
func expandRange(name string) ([]string, error) {
	if !strings.ContainsAny(name, "[]") {
		return []string{name}, nil
	}
	names := []string{""}
	for rest := name; rest != ""; {
		before, after, found := strings.Cut(rest, "[")
		if strings.Contains(before, "]") {
			return nil, errors.New(`"]" closes no "["`)
		}
		items := []string{""}
		rest = ""
		if found {
			body, tail, closed := strings.Cut(after, "]")
			if !closed {
				return nil, errors.New(`"[" is not closed`)
			}
			var err error
			if items, err = rangeItems(body); err != nil {
				return nil, err
			}
			rest = tail
		}
		if len(names)*len(items) > maxRange {
			return nil, errRangeSize
		}
		longer := make([]string, 0, len(names)*len(items))
		for _, name := range names {
			for _, item := range items {
				longer = append(longer, name+before+item)
			}
		}
		names = longer
	}
	return names, nil
}

// rangeItems returns what the inside of one pair of brackets stands for.
func rangeItems(body string) ([]string, error) {
	parts := strings.Split(body, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, fmt.Errorf("[%s] is not a range", body)
	}
	from, to, step := parts[0], parts[1], 1
	if from == "" {
		from = "0" // as Ansible does
	}
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("the step of [%s] is not a positive number", body)
		}
		step = n
	}
	first, last := letter(from), letter(to)
	write := func(n int) string { return string(letters[n]) }
	if first < 0 || last < 0 {
		var err1, err2 error
		first, err1 = strconv.Atoi(from)
		last, err2 = strconv.Atoi(to)
		if err1 != nil || err2 != nil || first < 0 || last < 0 {
			return nil, fmt.Errorf("[%s] is not a range of numbers or letters", body)
		}
		width := 0
		if len(from) > 1 && from[0] == '0' {
			if width = len(from); width != len(to) {
				return nil, fmt.Errorf("the ends of [%s] have not the same number of digits", body)
			}
		}
		write = func(n int) string { return fmt.Sprintf("%0*d", width, n) }
	}
	if first > last {
		return nil, fmt.Errorf("[%s] runs backwards", body)
	}
	if (last-first)/step >= maxRange {
		return nil, errRangeSize
	}
	var items []string
	for n := first; n <= last; n += step {
		items = append(items, write(n))
	}
	return items, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func letter(s string) int {
	if len(s) != 1 {
		return -1
	}
	return strings.IndexByte(letters, s[0])
}
