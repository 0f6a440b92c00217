package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// started says that the warm-up is over and measuring begins.
type started struct {
	ID    uint64    `json:"id"`
	Event string    `json:"event"`
	At    time.Time `json:"at"`
}

// failure reports a failed call of a load as it happens.
type failure struct {
	ID    uint64    `json:"id"`
	Event string    `json:"event"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	TxID  string    `json:"txid"`
	Error string    `json:"error"`
}

// runLoad warms up, then measures, and returns the statistics. When more ends, no call begins any
// more; ctx ends those under way, too.
func runLoad(ctx, more context.Context, chaincode *chaincode, request request, answers *answers) statistics {
	load := loadRun{chaincode: chaincode.patient(), request: request, more: more, next: new(atomic.Int64)}
	if request.Warmup > 0 {
		load.callAll(ctx, int64(request.Warmup), time.Time{}, func(_, _ time.Time, _ outcome) {})
	}

	began := time.Now()
	collector := newCollector(began, time.Duration(request.SlowUS)*time.Microsecond)
	if request.Progress {
		answers.write(started{request.ID, "started", began})
	}
	last := int64(request.Warmup + request.Count)
	if request.Count == 0 {
		last = int64(request.Warmup + maxCalls)
	}
	var deadline time.Time
	if request.Seconds > 0 {
		deadline = began.Add(time.Duration(request.Seconds * float64(time.Second)))
	}
	load.callAll(ctx, last, deadline, func(began, ended time.Time, outcome outcome) {
		if outcome.err == nil {
			collector.succeeded(began, ended)
			return
		}
		text := withoutID(describe(outcome.err), outcome.txID)
		if failures := collector.failed(text, ended, errors.As(outcome.err, new(otherResult))); request.Progress && failures <= maxFailureLines {
			answers.write(failure{request.ID, "failure", began, ended, outcome.txID, text})
		}
	})
	return collector.statistics(request.ID, time.Now())
}

// withoutID takes a transaction's ID, which would make each text a text of its
// own, out of an error: whole, and in the short form of Fabric's log lines.
func withoutID(text, txID string) string {
	const short = 8
	if len(txID) < short {
		return text
	}
	text = strings.ReplaceAll(text, txID, "<txid>")
	return strings.ReplaceAll(text, "["+txID[:short]+"]", "[<txid>]")
}

// loadRun is a load under way.
type loadRun struct {
	chaincode *chaincode
	request   request
	// more ends when no further call is to begin.
	more context.Context
	// next is the number of the call to come.
	next *atomic.Int64
}

// callAll lets every client call until the number last or the deadline (if any)
// is reached or more ends, and tells ended of each call.
func (l loadRun) callAll(ctx context.Context, last int64, deadline time.Time, ended func(began, ended time.Time, outcome outcome)) {
	var clients sync.WaitGroup
	for range l.request.Clients {
		clients.Go(func() {
			for l.more.Err() == nil && (deadline.IsZero() || time.Now().Before(deadline)) {
				number := l.next.Add(1) - 1
				if number >= last {
					return
				}
				began := time.Now()
				outcome := l.chaincode.call(ctx, l.request.Kind, l.numbered(number))
				ended(began, time.Now(), l.compared(number, outcome))
			}
		})
	}
	clients.Wait()
	l.next.Store(min(l.next.Load(), last))
}

// numbered is the call with its number put in, where the load asks for that.
func (l loadRun) numbered(number int64) call {
	call := l.request.call
	args := make([]string, len(call.Args))
	for i, arg := range call.Args {
		args[i] = l.withNumber(arg, number)
	}
	call.Args = args
	return call
}

func (l loadRun) withNumber(text string, number int64) string {
	if !l.request.Unique {
		return text
	}
	return strings.ReplaceAll(text, "%d", strconv.FormatInt(number, 10))
}

// compared is the outcome, failed if the call has succeeded with another result
// than the load expects of it.
func (l loadRun) compared(number int64, outcome outcome) outcome {
	if l.request.Expect == "" || outcome.err != nil {
		return outcome
	}
	expected := l.withNumber(l.request.Expect, number)
	if got := string(outcome.payload); got != expected {
		outcome.err = otherResult{expected, got}
	}
	return outcome
}

// otherResult is a result that a call must not have.
type otherResult struct{ expected, got string }

func (o otherResult) Error() string {
	return fmt.Sprintf("expected %q, got %q", o.expected, excerpt(o.got))
}

// excerpt is the beginning of a text that may be of any length.
func excerpt(text string) string {
	return text[:min(len(text), maxExcerpt)]
}
