package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/hyperledger/fabric-gateway/pkg/client"
)

// history is what only a history has: clients that read and write a few keys.
type history struct {
	// Keys is how many there are.
	Keys int `json:"keys"`
}

// verdict answers a history that was recorded.
type verdict struct {
	ID     uint64 `json:"id"`
	OK     bool   `json:"ok"`
	Reads  int    `json:"reads"`
	Writes int    `json:"writes"`
	// Failed is how many reads and writes failed, the latter before anybody could commit them.
	Failed int `json:"failed"`
	// Unknown is how many writes may or may not have been committed, for all that the client knows.
	Unknown int `json:"unknown"`
	// Linearizable is "Ok", "Illegal", or "Unknown" if it could not be told in time.
	Linearizable porcupine.CheckResult `json:"linearizable"`
	// Illegal are the keys of which there is no order that explains what was read.
	Illegal []string     `json:"illegal"`
	Errors  []errorCount `json:"errors"`
}

func (h history) check(of load) error {
	switch {
	case h.Keys < 1 || h.Keys > maxKeys:
		return fmt.Errorf("%d keys are not in 1..%d", h.Keys, maxKeys)
	case of.Clients < 1 || of.Clients > maxClients:
		return fmt.Errorf("%d clients are not in 1..%d", of.Clients, maxClients)
	case of.Seconds <= 0 || of.Seconds > maxHistorySeconds:
		return fmt.Errorf("%g seconds are not in 0..%d", of.Seconds, maxHistorySeconds)
	case of != (load{Clients: of.Clients, Seconds: of.Seconds}):
		return errors.New("a history takes of a load clients and seconds only")
	}
	return nil
}

// input is what a client asks for: a read, or a write of a value that no other writes.
type input struct {
	key, value string
	isWrite    bool
}

// register is one key: a read returns what was written last.
var register = porcupine.Model{
	Partition: byKey,
	Init:      func() any { return "" },
	Step: func(state, asked, answered any) (bool, any) {
		input := asked.(input)
		if input.isWrite {
			return true, input.value
		}
		return answered.(string) == state.(string), state
	},
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	keys := map[string][]porcupine.Operation{}
	for _, operation := range history {
		key := operation.Input.(input).key
		keys[key] = append(keys[key], operation)
	}
	parts := make([][]porcupine.Operation, 0, len(keys))
	for _, part := range keys {
		parts = append(parts, part)
	}
	return parts
}

// recording is a history that is being recorded.
type recording struct {
	mutex      sync.Mutex
	began      time.Time
	operations []porcupine.Operation
	verdict    verdict
	errors     map[string]int
}

// runHistory has clients read and write, half of each, and says whether there is an order of all that
// explains what they saw (Herlihy and Wing's linearizability).
func runHistory(ctx, more context.Context, chaincode *chaincode, request request, answers *answers) (verdict, error) {
	chaincode = chaincode.patient()
	record := &recording{
		began: time.Now(), verdict: verdict{ID: request.ID, OK: true}, errors: map[string]int{},
	}
	// What an earlier history has left is none of this one's.
	prefix := fmt.Sprintf("history-%d-", record.began.UnixNano())
	key := func(number int) string { return prefix + strconv.Itoa(number) }
	for number := range request.Keys {
		if !record.do(ctx, chaincode, 0, input{key(number), "first", true}) {
			return verdict{}, fmt.Errorf("cannot begin: %v", mostFrequentFirst(record.errors))
		}
	}
	answers.write(started{request.ID, "started", time.Now()})
	deadline := time.Now().Add(time.Duration(request.Seconds * float64(time.Second)))
	var clients sync.WaitGroup
	for id := 1; id <= request.Clients; id++ {
		clients.Go(func() {
			for number := 0; more.Err() == nil && time.Now().Before(deadline); number++ {
				input := input{key: key(rand.IntN(request.Keys)), isWrite: rand.IntN(2) == 0}
				if input.isWrite {
					input.value = fmt.Sprintf("%d-%d", id, number)
				}
				record.do(ctx, chaincode, id, input)
			}
		})
	}
	clients.Wait()
	return record.judge(), nil
}

// do has a client read or write, and records what came of it; it says whether that succeeded.
func (r *recording) do(ctx context.Context, chaincode *chaincode, id int, input input) bool {
	kind, args := "evaluate", []string{"Get", input.key}
	if input.isWrite {
		kind, args = "submit", []string{"Put", input.key, input.value}
	}
	began := time.Since(r.began)
	outcome := chaincode.call(ctx, kind, call{Args: args})
	ended := time.Since(r.began)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if outcome.err != nil {
		text := withoutID(describe(outcome.err), outcome.txID)
		if _, known := r.errors[text]; !known && len(r.errors) >= maxErrors {
			text = "other errors"
		}
		r.errors[text]++
	}
	r.add(id, input, string(outcome.payload), fateOf(input, outcome.err), began, ended)
	return outcome.err == nil
}

// fate is what a client knows of what it asked for.
type fate int

const (
	happened fate = iota
	// without effect: a read that failed, a write that nobody commits.
	without
	// at any time since it was asked for, or never.
	maybe
)

func fateOf(input input, err error) fate {
	switch {
	case err == nil:
		return happened
	// Nobody has given it to an orderer, or the peer has found it invalid.
	case !input.isWrite, errors.As(err, new(*client.EndorseError)), errors.As(err, new(invalid)):
		return without
	default:
		return maybe
	}
}

func (r *recording) add(id int, input input, answer string, fate fate, began, ended time.Duration) {
	if input.isWrite {
		r.verdict.Writes++
	} else {
		r.verdict.Reads++
	}
	switch fate {
	case happened:
	case without:
		r.verdict.Failed++
		return
	case maybe:
		r.verdict.Unknown++
		ended = forever
	}
	r.operations = append(r.operations, porcupine.Operation{
		ClientId: id, Input: input, Call: int64(began), Output: answer, Return: int64(ended),
	})
}

// judge looks for the order, key by key.
func (r *recording) judge() verdict {
	r.verdict.Errors = mostFrequentFirst(r.errors)
	r.verdict.Linearizable = porcupine.Ok
	r.verdict.Illegal = []string{}
	for _, part := range byKey(r.operations) {
		switch result := porcupine.CheckOperationsTimeout(register, part, judgeTimeout); result {
		case porcupine.Ok:
		case porcupine.Illegal:
			r.verdict.Linearizable = result
			r.verdict.Illegal = append(r.verdict.Illegal, part[0].Input.(input).key)
		default:
			if r.verdict.Linearizable == porcupine.Ok {
				r.verdict.Linearizable = result
			}
		}
	}
	return r.verdict
}
