package main

import (
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
		`{"op":"load","kind":"submit","clients":1,"count":1,"as":"text","args":["Get"]}`: "a load returns no result to be had",
	} {
		if _, err := parse([]byte(line)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want %q", line, err, reason)
		}
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
