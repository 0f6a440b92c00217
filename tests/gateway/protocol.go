package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// request is a line of stdin.
type request struct {
	// ID comes back in every line that the request causes.
	ID uint64 `json:"id"`
	// Op is "evaluate", "endorse", "submit", "load", "history" or "stop".
	Op string `json:"op"`
	// Of is the ID of the load or the history that a stop is to end.
	Of uint64 `json:"of"`
	call
	// As says how a single call's result is returned: see shape.
	As string `json:"as"`
	load
	history
}

// call is what to call, in a single call and in a load.
type call struct {
	// Args are the function's name and its arguments.
	Args []string `json:"args"`
	// Args64 are further arguments, in base64, after Args.
	Args64 [][]byte `json:"args64"`
	// Transient is the proposal's transient data, as text.
	Transient map[string]string `json:"transient"`
	// Orgs are the MSP IDs whose peers are asked. None: for evaluate the
	// client's own, for submit what the endorsement policy needs.
	Orgs []string `json:"orgs"`
}

// load is what only a load has.
type load struct {
	// Kind is "evaluate" or "submit".
	Kind string `json:"kind"`
	// Clients call at the same time, each its next when its last is answered.
	Clients int `json:"clients"`
	// Count and Seconds end the load, whichever comes first; 0 is no end.
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	// Warmup is how many calls go before those that are measured.
	Warmup int `json:"warmup"`
	// Unique puts the call's number, from 0, in the place of each %d in Args and Expect.
	Unique bool `json:"unique"`
	// Expect is what each call has to return, as text, with the call's number put in as
	// in Args; a call that returns anything else is counted as wrong. Empty: anything.
	Expect string `json:"expect"`
	// Progress asks for a line when measuring begins and one per failure.
	Progress bool `json:"progress"`
	// SlowUS is the time in microseconds from which on an answer counts as trouble.
	SlowUS int64 `json:"slow_us"`
}

func (l load) check() error {
	switch {
	case l.Kind != "evaluate" && l.Kind != "submit":
		return fmt.Errorf("no kind %q of load", l.Kind)
	case l.Clients < 1 || l.Clients > maxClients:
		return fmt.Errorf("%d clients are not in 1..%d", l.Clients, maxClients)
	case l.Count < 0 || l.Count > maxCalls:
		return fmt.Errorf("a count of %d is not in 0..%d", l.Count, maxCalls)
	case l.Warmup < 0 || l.Warmup > maxCalls:
		return fmt.Errorf("a warmup of %d is not in 0..%d", l.Warmup, maxCalls)
	case l.Seconds < 0 || l.Seconds > maxSeconds:
		return fmt.Errorf("%g seconds are not in 0..%d", l.Seconds, maxSeconds)
	case l.SlowUS < 0:
		return fmt.Errorf("slow is not from %d µs on", l.SlowUS)
	case l.Count == 0 && l.Seconds == 0:
		return fmt.Errorf("neither count nor seconds ends the load")
	}
	return nil
}

// ready is the first line of stdout.
type ready struct {
	Event string `json:"event"`
}

// refusal answers a request that failed.
type refusal struct {
	ID    uint64  `json:"id"`
	OK    bool    `json:"ok"`
	Error string  `json:"error"`
	TxID  string  `json:"txid,omitempty"`
	MS    float64 `json:"ms"`
}

// answers is stdout: whole lines, whoever writes them.
type answers struct {
	mutex sync.Mutex
	out   io.Writer
	err   error
}

// write writes one line. An error is kept for the end: nobody is there to hear
// of it.
func (a *answers) write(line any) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil && a.err == nil {
		a.err = err
	}
}

// failed returns the first error in writing.
func (a *answers) failed() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.err
}
