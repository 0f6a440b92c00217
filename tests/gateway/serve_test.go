package main

import (
	"errors"
	"strings"
	"testing"
)

func TestARequestThatIsNotValidIsRefusedWithTheReason(t *testing.T) {
	for line, reason := range map[string]string{
		`{"op":"evaluate"`: "unexpected EOF",
		`{"op":"evaluate","args":["Get","k"],"arg":1}`:                                   `unknown field "arg"`,
		`{"op":"evaluate","args":["Get","k"]} {}`:                                        "more than one request",
		`{"op":"evaluate","args":[]}`:                                                    "args name no function",
		`{"op":"query","args":["Get","k"]}`:                                              `no op "query"`,
		`{"op":"submit","args":["Get","k"],"clients":2}`:                                 "fields of a load",
		`{"op":"submit","args":["Get","k"],"as":"hex"}`:                                  `no form "hex"`,
		`{"op":"load","kind":"query","clients":1,"count":1,"args":["Get"]}`:              `no kind "query"`,
		`{"op":"load","kind":"submit","clients":2000,"count":1,"args":["Get"]}`:          "2000 clients are not in 1..1024",
		`{"op":"load","kind":"submit","clients":1,"args":["Get"]}`:                       "neither count nor seconds",
		`{"op":"load","kind":"submit","clients":1,"seconds":-1,"args":["Get"]}`:          "-1 seconds",
		`{"op":"stop","of":1,"args":["Get"]}`:                                            "a stop takes nothing",
		`{"op":"history","clients":1,"seconds":1}`:                                       "0 keys are not in 1..",
		`{"op":"history","clients":1,"seconds":1,"keys":1,"count":5}`:                    "clients and seconds only",
		`{"op":"history","clients":1,"seconds":1,"keys":1,"args":["Get"]}`:               "knows itself what it calls",
		`{"op":"evaluate","args":["Get","k"],"keys":1}`:                                  "fields of a history",
		`{"op":"load","kind":"submit","clients":1,"count":1,"as":"text","args":["Get"]}`: "a load returns no result to be had",
	} {
		if _, err := parse([]byte(line)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want %q", line, err, reason)
		}
	}
}

func TestALoadIsStoppedOnce(t *testing.T) {
	var loads underWayLoads
	more := loads.begin(t.Context(), 7)
	if loads.stop(8) || more.Err() != nil {
		t.Error("another load's stop has ended it")
	}
	if !loads.stop(7) || more.Err() == nil || loads.stop(7) {
		t.Error("it was not stopped once")
	}
}

func TestATransactionsOwnIDIsTakenOutOfAnError(t *testing.T) {
	txID := strings.Repeat("0123456789abcdef", 4)
	got := withoutID("failed to execute "+txID+": [01234567] gone", txID)
	if want := "failed to execute <txid>: [<txid>] gone"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := withoutID("no ID yet", ""); got != "no ID yet" {
		t.Errorf("got %q without an ID", got)
	}
}

func TestAResultIsComparedWithTheOneThatTheCallExpects(t *testing.T) {
	load := loadRun{request: request{load: load{Unique: true, Expect: "%d of 3"}}}
	if got := load.compared(7, outcome{payload: []byte("7 of 3")}); got.err != nil {
		t.Errorf("got %v for the expected result", got.err)
	}
	got := load.compared(8, outcome{payload: []byte("7 of 3")})
	if want := (otherResult{"8 of 3", "7 of 3"}); got.err != want {
		t.Errorf("got %v for another call's result", got.err)
	}
	refused := errors.New("refused")
	if got := load.compared(9, outcome{err: refused}); got.err != refused {
		t.Errorf("got %v in the place of a call's own failure", got.err)
	}
}
