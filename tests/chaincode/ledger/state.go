package main

// The public state: single keys, ranges, a counter, and the batched requests
// (WRITE_BATCH_STATE, GET_STATE_MULTIPLE) that v3.1 peers announce in READY.

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
)

func put(stub stub, args []string) ([]byte, error) {
	return nil, stub.PutState(args[0], []byte(args[1]))
}

// get fails for a key that has no value, so that a caller cannot take a lost
// write for an empty one.
func get(stub stub, args []string) ([]byte, error) {
	value, err := stub.GetState(args[0])
	if err == nil && value == nil {
		err = fmt.Errorf("key %q has no value", args[0])
	}
	return value, err
}

func del(stub stub, args []string) ([]byte, error) {
	return nil, stub.DelState(args[0])
}

// entry is one result of a range query.
type entry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// rangeOf returns the keys from start (included) to end (excluded) with their
// values, as JSON: [{"key":"a","value":"1"}].
func rangeOf(stub stub, args []string) ([]byte, error) {
	results, err := stub.GetStateByRange(args[0], args[1])
	if err != nil {
		return nil, err
	}
	defer results.Close()

	entries := []entry{}
	for results.HasNext() {
		result, err := results.Next()
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{result.Key, string(result.Value)})
	}
	return json.Marshal(entries)
}

// digestOf reads what Range does, and returns the nonce, how many keys there were,
// and the SHA-256 of a line "key=value" for each. By the nonce a caller can tell
// the answer to another call from its own.
func digestOf(stub stub, args []string) ([]byte, error) {
	results, err := stub.GetStateByRange(args[0], args[1])
	if err != nil {
		return nil, err
	}
	defer results.Close()

	count, digest := 0, sha256.New()
	for results.HasNext() {
		result, err := results.Next()
		if err != nil {
			return nil, err
		}
		count++
		fmt.Fprintf(digest, "%s=%s\n", result.Key, result.Value)
	}
	return fmt.Appendf(nil, "%s %d %x", args[2], count, digest.Sum(nil)), nil
}

// leaveOpen queries a range so many times, and closes none of the iterators.
func leaveOpen(stub stub, args []string) ([]byte, error) {
	times, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, err
	}
	for range times {
		if _, err := stub.GetStateByRange(args[0], args[1]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// add adds n to the number at key (none counts as 0) and returns the sum. Two
// at a time conflict, as read-then-write does.
func add(stub stub, args []string) ([]byte, error) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return nil, err
	}
	value, err := stub.GetState(args[0])
	if err != nil {
		return nil, err
	}
	if value != nil {
		old, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("key %q holds no number: %w", args[0], err)
		}
		n += old
	}
	sum := strconv.AppendInt(nil, n, 10)
	return sum, stub.PutState(args[0], sum)
}

// copyTo writes what it reads at one key to another.
func copyTo(stub stub, args []string) ([]byte, error) {
	value, err := get(stub, args)
	if err != nil {
		return nil, err
	}
	return nil, stub.PutState(args[1], value)
}

// putMany writes pairs in one batch where the peer takes batches (v3.1), and
// one by one where it does not; the shim knows from READY.
func putMany(stub stub, args []string) ([]byte, error) {
	if len(args)%2 != 0 {
		return nil, fmt.Errorf("key %q has no value", args[len(args)-1])
	}
	stub.StartWriteBatch()
	for i := 0; i < len(args); i += 2 {
		if err := stub.PutState(args[i], []byte(args[i+1])); err != nil {
			return nil, err
		}
	}
	return nil, stub.FinishWriteBatch()
}

// deleteMany deletes keys in one batch, as putMany writes them.
func deleteMany(stub stub, args []string) ([]byte, error) {
	stub.StartWriteBatch()
	for _, key := range args {
		if err := stub.DelState(key); err != nil {
			return nil, err
		}
	}
	return nil, stub.FinishWriteBatch()
}

// getMany returns the values of keys, read in one request where the peer takes
// such, as a JSON array; null stands for a key without a value.
func getMany(stub stub, args []string) ([]byte, error) {
	values, err := stub.GetMultipleStates(args...)
	if err != nil {
		return nil, err
	}
	texts := make([]*string, len(values))
	for i, value := range values {
		if value != nil {
			text := string(value)
			texts[i] = &text
		}
	}
	return json.Marshal(texts)
}
