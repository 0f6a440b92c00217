package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/hyperledger/fabric-gateway/pkg/client"
)

// recorded is a recording of one key whose operations are added one after the other.
func recorded(steps ...func(*recording, int)) verdict {
	record := &recording{errors: map[string]int{}}
	for number, step := range steps {
		step(record, number)
	}
	return record.judge()
}

func wrote(value string, fate fate) func(*recording, int) {
	return func(r *recording, at int) {
		r.add(at, input{"k", value, true}, "", fate, second(at), second(at)+time.Second/2)
	}
}

func read(value string) func(*recording, int) {
	return func(r *recording, at int) {
		r.add(at, input{key: "k"}, value, happened, second(at), second(at)+time.Second/2)
	}
}

func second(n int) time.Duration { return time.Duration(n) * time.Second }

func TestAHistoryIsJudgedByWhatItsClientsSaw(t *testing.T) {
	for name, c := range map[string]struct {
		verdict verdict
		want    porcupine.CheckResult
	}{
		"what was written last is read":      {recorded(wrote("a", happened), wrote("b", happened), read("b")), porcupine.Ok},
		"a write is gone":                    {recorded(wrote("a", happened), wrote("b", happened), read("a")), porcupine.Illegal},
		"a value that nobody wrote":          {recorded(wrote("a", happened), read("b")), porcupine.Illegal},
		"an uncertain write that happened":   {recorded(wrote("a", happened), wrote("b", maybe), read("a"), read("b")), porcupine.Ok},
		"one that happened and then did not": {recorded(wrote("a", happened), wrote("b", maybe), read("b"), read("a")), porcupine.Illegal},
		"one that never happened":            {recorded(wrote("a", happened), wrote("b", maybe), read("a")), porcupine.Ok},
		"success for one that was refused":   {recorded(wrote("a", happened), wrote("b", without), read("b")), porcupine.Illegal},
	} {
		if got := c.verdict.Linearizable; got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestWhatAClientKnowsOfAWriteThatFailed(t *testing.T) {
	write := input{"k", "v", true}
	for err, want := range map[error]fate{
		nil:                                    happened,
		fmt.Errorf("wrapped: %w", invalid{11}): without,
		new(client.EndorseError):               without,
		errors.New("the connection is gone"):   maybe,
	} {
		if got := fateOf(write, err); got != want {
			t.Errorf("%T: got %d", err, got)
		}
	}
	if got := fateOf(input{key: "k"}, errors.New("gone")); got != without {
		t.Errorf("got %d for a read", got)
	}
}
