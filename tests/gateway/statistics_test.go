package main

import (
	"fmt"
	"testing"
	"time"
)

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	latencies := make([]int64, 0, 200)
	for i := int64(200); i >= 1; i-- {
		latencies = append(latencies, i)
	}
	want := latency{Min: 1, Median: 100, P90: 180, P99: 198, Max: 200, Mean: 100.5}
	if got := summarise(latencies); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want = latency{Min: 7, Median: 7, P90: 7, P99: 7, Max: 7, Mean: 7}
	if got := summarise([]int64{7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheLongestGapReachesFromTheBeginningToTheEnd(t *testing.T) {
	began := time.Unix(0, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	collector := newCollector(began, 0)
	collector.succeeded(at(0), at(10))
	collector.succeeded(at(5), at(40))
	collector.failed("no", at(45), false)
	if got := collector.statistics(1, at(50)).LongestGapUS; got != 30_000 {
		t.Errorf("got %d between two successes", got)
	}
	if got := collector.statistics(1, at(100)).LongestGapUS; got != 60_000 {
		t.Errorf("got %d after the last success", got)
	}
}

func TestTroubleLastsUntilTheLastCallThatFailedOrWasSlow(t *testing.T) {
	began := time.Unix(0, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	collector := newCollector(began, 20*time.Millisecond)
	trouble := func() int64 { return collector.statistics(1, at(100)).TroubleUS }
	collector.succeeded(at(0), at(10))
	if got := trouble(); got != 0 {
		t.Errorf("got %d before anything was slow", got)
	}
	collector.succeeded(at(10), at(30))
	collector.succeeded(at(30), at(40))
	if got := trouble(); got != 30_000 {
		t.Errorf("got %d after a slow one", got)
	}
	collector.failed("no", at(50), false)
	if got := trouble(); got != 50_000 {
		t.Errorf("got %d after a failure", got)
	}
}

func TestDistinctErrorsAreBounded(t *testing.T) {
	collector := newCollector(time.Now(), 0)
	for i := range maxErrors + 10 {
		collector.failed(fmt.Sprintf("error %d", i), time.Now(), false)
	}
	statistics := collector.statistics(1, time.Now())
	if got := statistics.Errors[0]; got != (errorCount{"other errors", 10}) {
		t.Errorf("got %+v first", got)
	}
	if got := len(statistics.Errors); got != maxErrors+1 {
		t.Errorf("got %d texts", got)
	}
}
