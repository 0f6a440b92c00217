package main

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// statistics answers a load that ran. Latencies are those of the calls that
// succeeded, in microseconds.
type statistics struct {
	ID        uint64 `json:"id"`
	OK        bool   `json:"ok"`
	Count     int    `json:"count"`
	Succeeded int    `json:"succeeded"`
	Failed    int    `json:"failed"`
	// Wrong is how many of Failed returned what was not expected.
	Wrong  int          `json:"wrong"`
	Errors []errorCount `json:"errors"`
	// PerSecond is Succeeded over the wall time.
	PerSecond float64 `json:"per_second"`
	WallMS    float64 `json:"wall_ms"`
	// LongestGapUS is the longest time in which no call succeeded.
	LongestGapUS int64 `json:"longest_gap_us"`
	// TroubleUS is when, after the beginning, the last call ended that failed or was
	// slow; 0 if none was.
	TroubleUS int64   `json:"trouble_us"`
	LatencyUS latency `json:"latency_us"`
}

// errorCount is an error's text and how many calls ended with it.
type errorCount struct {
	Error string `json:"error"`
	Count int    `json:"count"`
}

// latency is zero throughout if nothing succeeded.
type latency struct {
	Min    int64   `json:"min"`
	Median int64   `json:"median"`
	P90    int64   `json:"p90"`
	P99    int64   `json:"p99"`
	Max    int64   `json:"max"`
	Mean   float64 `json:"mean"`
}

// collector gathers what the clients of a load report.
type collector struct {
	mutex       sync.Mutex
	began       time.Time
	lastSuccess time.Time
	longestGap  time.Duration
	// slow is the time from which on an answer counts as trouble; 0: no time does.
	slow time.Duration
	// trouble is when the last one of that kind came, or the last failure.
	trouble   time.Duration
	latencies []int64
	failures  int
	wrong     int
	errors    map[string]int
}

func newCollector(began time.Time, slow time.Duration) *collector {
	return &collector{began: began, lastSuccess: began, slow: slow, errors: map[string]int{}}
}

func (c *collector) succeeded(began, ended time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.latencies = append(c.latencies, ended.Sub(began).Microseconds())
	c.longestGap = max(c.longestGap, ended.Sub(c.lastSuccess))
	c.lastSuccess = ended
	if c.slow > 0 && ended.Sub(began) >= c.slow {
		c.trouble = max(c.trouble, ended.Sub(c.began))
	}
}

// failed counts a failure, which may be that of a wrong result, and returns how
// many there are.
func (c *collector) failed(text string, ended time.Time, wrong bool) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.failures++
	c.trouble = max(c.trouble, ended.Sub(c.began))
	if wrong {
		c.wrong++
	}
	if _, known := c.errors[text]; !known && len(c.errors) >= maxErrors {
		text = "other errors"
	}
	c.errors[text]++
	return c.failures
}

func (c *collector) statistics(id uint64, ended time.Time) statistics {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	wall := ended.Sub(c.began)
	succeeded := len(c.latencies)
	return statistics{
		ID: id, OK: true,
		Count: succeeded + c.failures, Succeeded: succeeded, Failed: c.failures, Wrong: c.wrong,
		Errors:       mostFrequentFirst(c.errors),
		PerSecond:    float64(succeeded) / wall.Seconds(),
		WallMS:       float64(wall.Microseconds()) / 1000,
		LongestGapUS: max(c.longestGap, ended.Sub(c.lastSuccess)).Microseconds(),
		TroubleUS:    c.trouble.Microseconds(),
		LatencyUS:    summarise(c.latencies),
	}
}

func mostFrequentFirst(errors map[string]int) []errorCount {
	counts := make([]errorCount, 0, len(errors))
	for text, count := range errors {
		counts = append(counts, errorCount{text, count})
	}
	slices.SortFunc(counts, func(a, b errorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error))
	})
	return counts
}

// summarise sorts the latencies in place. A percentile is the least value that
// so many per cent of all do not exceed.
func summarise(latencies []int64) latency {
	n := len(latencies)
	if n == 0 {
		return latency{}
	}
	slices.Sort(latencies)
	percentile := func(p int) int64 { return latencies[(n*p+99)/100-1] }
	sum := int64(0)
	for _, l := range latencies {
		sum += l
	}
	return latency{
		Min: latencies[0], Median: percentile(50), P90: percentile(90), P99: percentile(99),
		Max: latencies[n-1], Mean: float64(sum) / float64(n),
	}
}
